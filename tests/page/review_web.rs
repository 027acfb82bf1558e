//! The reviewer's page as its own script uses it.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use wakegate::review::{Act, Certificate, Line, Settings};

use crate::review_support::{
    DAY_MS, HandClock, noise, open_settings, person, queue, reopen, store,
};
use crate::web_support::{Client, Page, options};

struct Bench {
    folder: TempDir,
    settings: Settings,
    clock: Arc<HandClock>,
}

impl Bench {
    /// A queue with so many clips, stored a second apart.
    fn with(clips: u64) -> Self {
        let bench = Self {
            folder: tempfile::tempdir().unwrap(),
            settings: open_settings(),
            clock: HandClock::new(),
        };
        let mut queue = queue(bench.path(), &bench.settings, &bench.clock);
        for seed in 0..clips {
            store(&mut queue, seed);
            bench.clock.pass(1000);
        }
        bench
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn page(&self, reviewers: &[&str]) -> Page {
        Page::start(self.path(), &self.settings, &self.clock, &options(reviewers))
    }

    fn acts(&self) -> Vec<(String, Act)> {
        let mut acts = Vec::new();
        wakegate::review::Queue::audit_lines(self.path(), &mut |line| {
            let line: Line = serde_json::from_str(&line).unwrap();
            acts.push((line.by, line.act));
            Ok(())
        })
        .unwrap();
        acts
    }
}

fn audio(client: &Client, id: &str) -> crate::web_support::Answer {
    client.get(&format!("/api/clips/{id}/audio"))
}

#[test]
fn a_reviewer_hears_labels_and_runs_out_of_clips() {
    let bench = Bench::with(3);
    let page = bench.page(&["Ann"]);
    let ann = page.log_in("Ann");
    let first = ann.post("/api/next", &json!({})).json();
    assert_eq!((&first["left"], &first["elsewhere"]), (&json!(3), &json!(0)));
    let clip = &first["clip"];
    assert_eq!(clip["wake_word"], "alexa");
    assert_eq!(clip["word_s"], json!([1.0, 1.5]));
    assert_eq!(clip["seconds"], 3.0);
    assert_eq!(clip["drawing"]["spotter"], Value::Null, "no model was given");
    let id = clip["id"].as_str().unwrap();

    let wav = audio(&ann, id);
    assert_eq!((wav.status, wav.header("content-type")), (200, Some("audio/wav")));
    assert_eq!(wav.header("cache-control"), Some("no-store"));
    let samples: Vec<f32> = wav.body[44..]
        .chunks_exact(2)
        .map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0)
        .collect();
    assert_eq!(samples, noise(48_000, 0), "the oldest clip comes first, bit for bit");
    let cells = ann.get(&format!("/api/clips/{id}/picture"));
    let cell = |key: &str| clip["drawing"][key].as_u64().unwrap() as usize;
    assert_eq!(cells.body.len(), cell("frames") * cell("bands"));
    assert_eq!(audio(&ann, id).status, 410, "once a lease");

    assert_eq!(ann.next().as_deref(), Some(id), "asking again gives the same clip");
    assert_eq!(audio(&ann, id).status, 200, "a new lease gives its audio again");
    assert_eq!(ann.decide(id, "intended")["answer"], "done");
    assert_eq!(ann.decide(id, "intended")["answer"], "gone", "its label deleted it");
    assert_eq!(audio(&ann, id).status, 410);

    let second = ann.next().unwrap();
    assert_eq!(ann.decide(&second, "unclear")["answer"], "done");
    let third = ann.next().unwrap();
    assert_eq!(ann.decide(&third, "delete")["answer"], "done");
    assert_eq!(ann.next(), None);
    let overview = ann.get("/api/overview").json();
    assert_eq!((&overview["queued"], &overview["reviewed"]), (&json!(0), &json!(2)));
    assert!(page.errors().is_empty());

    drop(page);
    let acts = bench.acts();
    let of = |act: Act| acts.iter().filter(|line| **line == ("Ann".to_owned(), act)).count();
    assert_eq!((of(Act::LoggedIn), of(Act::LoggedOut)), (1, 1));
    assert_eq!((of(Act::Played), of(Act::Labelled), of(Act::Deleted)), (4, 2, 3));
    assert_eq!(of(Act::Refused), 1);
}

#[test]
fn an_accidental_clip_is_an_incident_and_gone() {
    let bench = Bench::with(2);
    let certificate = Certificate {
        threshold: 0.9,
        share: 0.001,
        confidence: 0.95,
        labels: 3000,
        accidental: 0,
        upper: 0.000_998,
    };
    let mut queue = reopen(bench.path(), &bench.settings, &bench.clock).unwrap();
    queue.set_certificate(&person("Owner"), &certificate).unwrap();
    let page = bench.page(&["Ann"]);
    let ann = page.log_in("Ann");
    let id = ann.next().unwrap();
    let decided = ann.decide(&id, "accidental");
    assert_eq!(decided["answer"], "leak");
    let incident = &decided["incident"];
    assert_eq!((&incident["leaks"], &incident["reviewed"]), (&json!(1), &json!(1)));
    assert_eq!(incident["certificate"]["upper"], 0.000_998);
    assert_eq!(incident["leak_share"]["high"], 1.0);
    assert!((incident["leak_share"]["low"].as_f64().unwrap() - 0.025).abs() < 1e-12);
    assert_eq!(audio(&ann, &id).status, 410);
    let day = &ann.get("/api/overview").json()["days"][0];
    assert_eq!((&day["leaks"], &day["stored"]), (&json!(1), &json!(2)));
    let scores = queue.labelled_scores(&person("Owner")).unwrap();
    assert_eq!((scores.len(), scores[0].label.as_str()), (1, "accidental"));
}

#[test]
fn two_reviewers_never_get_the_same_clip() {
    let bench = Bench::with(2);
    let page = bench.page(&["Ann", "Ben"]);
    let (ann, ben) = (page.log_in("Ann"), page.log_in("Ben"));
    let (hers, his) = (ann.next().unwrap(), ben.next().unwrap());
    assert_ne!(hers, his);
    assert_eq!(audio(&ben, &hers).status, 410, "not his to hear");
    for decision in ["intended", "accidental", "unclear", "delete"] {
        assert_eq!(ben.decide(&hers, decision)["answer"], "taken", "{decision}");
    }
    let standing = ann.standing();
    assert_eq!((&standing["left"], &standing["elsewhere"]), (&json!(2), &json!(1)));
    assert_eq!(standing["clip"], json!({ "id": hers, "answer": "done" }));
    assert_eq!(ben.decide(&his, "intended")["answer"], "done");
    let nothing = ben.post("/api/next", &json!({})).json();
    assert_eq!((&nothing["clip"], &nothing["elsewhere"]), (&Value::Null, &json!(1)));
    // She leaves: he gets it, with audio of his own.
    assert_eq!(ann.post("/api/logout", &json!({})).status, 200);
    assert_eq!(ben.next(), Some(hers.clone()));
    assert_eq!(audio(&ben, &hers).status, 200);
}

#[test]
fn a_clip_that_expires_or_is_deleted_while_open_is_gone() {
    let bench = Bench::with(3);
    let page = bench.page(&["Ann"]);
    let ann = page.log_in("Ann");
    let id = ann.next().unwrap();
    let mut queue = reopen(bench.path(), &bench.settings, &bench.clock).unwrap();
    queue.delete(&person("Owner"), &id.parse().unwrap()).unwrap();
    assert_eq!(ann.standing()["clip"], json!({ "id": id, "answer": "gone" }));
    assert_eq!(audio(&ann, &id).status, 410, "its audio is not served from memory either");
    assert_eq!(ann.decide(&id, "intended")["answer"], "gone");

    assert_eq!(ann.next().map(|next| next == id), Some(false));
    bench.clock.pass(7 * DAY_MS);
    // So long a wait ended the session too.
    assert_eq!(ann.get("/api/standing").status, 401);
    let ann = page.log_in("Ann");
    assert_eq!(ann.standing()["left"], 0);
    assert_eq!(ann.next(), None);
    drop(page);
    let expired = bench.acts().iter().filter(|(_, act)| *act == Act::Expired).count();
    assert_eq!(expired, 2);
}

#[test]
fn everything_is_wiped_at_once_for_everyone() {
    let bench = Bench::with(3);
    let page = bench.page(&["Ann", "Ben"]);
    let (ann, ben) = (page.log_in("Ann"), page.log_in("Ben"));
    let his = ben.next().unwrap();
    assert_eq!(ann.post("/api/purge", &json!({ "confirm": "yes" })).status, 422);
    assert_eq!(ben.standing()["left"], 3);
    let wiped = ann.post("/api/purge", &json!({ "confirm": "delete every clip" })).json();
    assert_eq!(wiped["wiped"], 3);
    assert_eq!(audio(&ben, &his).status, 410);
    assert_eq!(ben.decide(&his, "intended")["answer"], "gone");
    assert_eq!(ben.next(), None);
}

#[test]
fn a_closed_queue_tells_the_terminal_and_not_the_browser() {
    let bench = Bench::with(1);
    let page = bench.page(&["Ann"]);
    let ann = page.log_in("Ann");
    let db = rusqlite::Connection::open(bench.path().join("queue.db")).unwrap();
    db.execute("UPDATE audit_head SET count = count - 1", []).unwrap();
    let answer = ann.post("/api/next", &json!({}));
    assert_eq!(answer.status, 503);
    assert_eq!(answer.text(), r#"{"error":"the queue is closed; the terminal says why"}"#);
    assert!(page.errors()[0].contains("the audit log is altered"), "{:?}", page.errors());
}

#[test]
fn a_label_can_be_taken_back_while_its_clip_stays_locked() {
    let bench = Bench::with(3);
    let page = bench.page(&["Ann", "Ben"]);
    let (ann, ben) = (page.log_in("Ann"), page.log_in("Ben"));
    let decide = |client: &Client, id: &str, decision: &str| {
        let body = json!({ "decision": decision, "undo": true });
        client.post(&format!("/api/clips/{id}/decide"), &body).json()
    };
    let first = ann.next().unwrap();
    let answer = decide(&ann, &first, "intended");
    assert_eq!((&answer["answer"], &answer["undo"]), (&json!("done"), &json!(true)));
    assert_eq!(ann.standing()["left"], 2, "it counts as labelled");
    let second = ann.next().unwrap();
    assert_ne!(second, first, "and is not given again");
    let bens = ben.next().unwrap();
    assert!(bens != first && bens != second, "nor to anybody else");
    // Taken back, it is the next one, and the one that was open goes back.
    assert_eq!(ann.post("/api/undo", &json!({})).json()["undone"], true);
    assert_eq!(ann.next().as_deref(), Some(first.as_str()));
    assert_eq!(ann.standing()["left"], 3);
    assert_eq!(ann.post("/api/undo", &json!({})).json()["undone"], false, "once");
    // After its seconds it is written, whoever asks for anything.
    decide(&ann, &first, "unclear");
    bench.clock.pass(6_000);
    ben.standing();
    assert_eq!(ann.post("/api/undo", &json!({})).json()["undone"], false, "too late");
    assert_eq!(ann.get("/api/overview").json()["reviewed"], 1);
    // The next decision settles the one before it, and so does the end of a session.
    let second = ann.next().unwrap();
    decide(&ann, &second, "intended");
    decide(&ben, &bens, "intended");
    ben.post("/api/logout", &json!({}));
    assert_eq!(ann.get("/api/overview").json()["reviewed"], 2);
    drop(page);
    assert_eq!(
        reopen(bench.path(), &bench.settings, &bench.clock).unwrap().stats().unwrap().reviewed,
        3
    );
}

#[test]
fn an_accidental_clip_is_deleted_at_once_and_a_wipe_loses_no_label() {
    let bench = Bench::with(2);
    let page = bench.page(&["Ann"]);
    let ann = page.log_in("Ann");
    let body = |decision: &str| json!({ "decision": decision, "undo": true });
    let first = ann.next().unwrap();
    let answer = ann.post(&format!("/api/clips/{first}/decide"), &body("accidental")).json();
    assert_eq!((&answer["answer"], &answer["undo"]), (&json!("leak"), &json!(false)));
    let second = ann.next().unwrap();
    ann.post(&format!("/api/clips/{second}/decide"), &body("intended"));
    assert_eq!(ann.post("/api/purge", &json!({"confirm": "delete every clip"})).json()["wiped"], 0);
    assert_eq!(ann.post("/api/undo", &json!({})).json()["undone"], false);
    assert_eq!(ann.get("/api/overview").json()["reviewed"], 2);
    assert!(page.errors().is_empty(), "{:?}", page.errors());
}
