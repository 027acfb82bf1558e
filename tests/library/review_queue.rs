//! The queue: consent, leases, labels, retention, caps, wipes.

use crate::review_support::{
    DAY_MS, Fixture, HOUR_MS, clip, files, holds, noise, open_settings, person, store,
};
use wakegate::ErrorKind;
use wakegate::gate::Stop;
use wakegate::review::{Act, Answer, ClipId, Label, Line, Queue, Settings, Stored};

fn acts(queue: &Queue) -> Vec<(Act, String)> {
    let mut acts = Vec::new();
    let mut take = |line: String| {
        let line: Line = serde_json::from_str(&line).unwrap();
        acts.push((line.act, line.by));
        Ok(())
    };
    Queue::audit_lines(queue.directory(), &mut take).unwrap();
    acts
}

fn sound(queue: &Queue) {
    let verified = queue.verify_audit().unwrap();
    assert_eq!(verified.problems, Vec::<String>::new());
    assert_eq!(verified.lines as usize, acts(queue).len());
}

#[test]
fn without_consent_or_enabled_nothing_is_stored() {
    let fixture = Fixture::new();
    let mut queue = fixture.reopen().unwrap();
    assert!(!queue.gate_state().unwrap().consented);
    assert_eq!(queue.store(clip(1)).unwrap(), Stored::Dropped(Stop::NoConsent));
    queue.give_consent(&person("Owner")).unwrap();
    assert!(queue.gate_state().unwrap().consented);
    assert!(matches!(queue.store(clip(1)).unwrap(), Stored::Kept(_)));

    let fixture = Fixture::with(Settings { enabled: false, ..open_settings() });
    let mut queue = fixture.queue();
    assert_eq!(queue.store(clip(1)).unwrap(), Stored::Dropped(Stop::Disabled));
    assert_eq!(queue.stats().unwrap().queued, 0);
}

#[test]
fn consent_is_dated_kept_and_revoked_with_a_wipe() {
    let fixture = Fixture::new();
    let mut queue = fixture.queue();
    let consent = queue.consent().unwrap().unwrap();
    assert_eq!((consent.by.as_str(), consent.given_at.as_str()), ("Owner", "2026-03-02T10:00:00Z"));
    fixture.clock.pass(HOUR_MS);
    // A second one changes nothing.
    assert_eq!(queue.give_consent(&person("Other")).unwrap(), consent);
    let id = store(&mut queue, 1);
    assert_eq!(queue.revoke_consent(&person("Owner")).unwrap(), 1);
    assert_eq!(queue.consent().unwrap(), None);
    assert_eq!(queue.delete(&person("Ann"), &id).unwrap(), Answer::Gone);
    assert_eq!(queue.store(clip(2)).unwrap(), Stored::Dropped(Stop::NoConsent));
    drop(queue);
    let mut queue = fixture.reopen().unwrap();
    assert_eq!(queue.consent().unwrap(), None);
    assert_eq!(queue.give_consent(&person("Owner")).unwrap().given_at, "2026-03-02T11:00:00Z");
    sound(&queue);
}

#[test]
fn a_clip_comes_back_as_it_went_in() {
    let fixture = Fixture::new();
    let mut queue = fixture.queue();
    let id = store(&mut queue, 1);
    drop(queue);
    let mut queue = fixture.reopen().unwrap();
    let leased = queue.next_for(&person("Ann")).unwrap().unwrap();
    assert_eq!(leased.id, id);
    assert_eq!(leased.audio.samples(), noise(48_000, 1));
    let record = &leased.record;
    assert_eq!((record.word_start, record.word_end, record.samples), (16_000, 24_000, 48_000));
    assert_eq!((record.wake_word.as_str(), record.p_intended), ("alexa", 0.97));
    assert_eq!(record.stored_at(), "2026-03-02T10:00:00Z");
    assert_eq!(record.expires_at(), "2026-03-09T10:00:00Z");
    assert_eq!(leased.leased_until, "2026-03-02T10:15:00Z");
}

#[test]
fn two_reviewers_never_have_the_same_clip() {
    let fixture = Fixture::new();
    let mut queue = fixture.queue();
    let first = store(&mut queue, 1);
    fixture.clock.pass(1000);
    let second = store(&mut queue, 2);
    let (ann, bob) = (person("Ann"), person("Bob"));
    // Two processes, as a page that is served twice.
    let mut other = fixture.reopen().unwrap();
    assert_eq!(queue.next_for(&ann).unwrap().unwrap().id, first);
    assert_eq!(other.next_for(&bob).unwrap().unwrap().id, second);
    assert_eq!(queue.next_for(&ann).unwrap().unwrap().id, first, "she keeps hers");
    assert!(queue.next_for(&person("Cid")).unwrap().is_none());
    assert_eq!(other.label(&bob, &first, Label::Intended).unwrap(), Answer::Taken);
    assert!(other.play(&bob, &first).unwrap().is_none());
    assert_eq!(other.release(&bob, &first).unwrap(), Answer::Taken);
    assert_eq!(queue.play(&ann, &first).unwrap().unwrap().id, first);
    assert_eq!(queue.waiting().unwrap(), 2);
    // A lease ends, by itself or by hand.
    fixture.clock.pass(16 * 60_000);
    assert_eq!(other.next_for(&bob).unwrap().unwrap().id, first);
    assert_eq!(other.release(&bob, &first).unwrap(), Answer::Done);
    assert_eq!(queue.next_for(&ann).unwrap().unwrap().id, first);
    let listed = queue.list(&ann).unwrap();
    assert_eq!(listed[0].leased_by.as_deref(), Some("Ann"));
    sound(&queue);
}

#[test]
fn a_labelled_clip_is_gone_and_its_scores_stay() {
    let fixture = Fixture::new();
    let mut queue = fixture.queue();
    let ann = person("Ann");
    let (intended, unclear) = (store(&mut queue, 1), store(&mut queue, 2));
    assert_eq!(queue.label(&ann, &intended, Label::Intended).unwrap(), Answer::Done);
    assert_eq!(queue.label(&ann, &unclear, Label::Unclear).unwrap(), Answer::Done);
    assert_eq!(queue.label(&ann, &unclear, Label::Intended).unwrap(), Answer::Gone);
    assert_eq!(queue.waiting().unwrap(), 0);
    let scores = queue.labelled_scores(&ann).unwrap();
    let labels: Vec<&str> = scores.iter().map(|score| score.label.as_str()).collect();
    assert_eq!(labels, ["intended", "unclear"]);
    assert_eq!((scores[0].day.as_str(), scores[0].p_intended), ("2026-03-02", 0.97));
    let stats = queue.stats().unwrap();
    assert_eq!((stats.reviewed, stats.leaks, stats.queued), (2, 0, 0));
    sound(&queue);
}

#[test]
fn a_leak_is_deleted_at_once_and_counted() {
    // Even where labelled clips are kept.
    let fixture = Fixture::with(Settings { keep_labelled: true, ..open_settings() });
    let mut queue = fixture.queue();
    let ann = person("Ann");
    let (leak, kept) = (store(&mut queue, 1), store(&mut queue, 2));
    assert_eq!(queue.label(&ann, &leak, Label::Accidental).unwrap(), Answer::Leak);
    assert_eq!(queue.label(&ann, &kept, Label::Intended).unwrap(), Answer::Done);
    assert!(queue.play(&ann, &leak).unwrap().is_none());
    let listed = queue.list(&ann).unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].id, listed[0].label.as_deref()), (&kept, Some("intended")));
    assert!(queue.next_for(&ann).unwrap().is_none(), "a labelled clip is not given again");
    let stats = queue.stats().unwrap();
    assert_eq!((stats.reviewed, stats.leaks), (2, 1));
    assert!(stats.leak_share.low > 0.01 && stats.leak_share.high < 0.99);
    assert_eq!(stats.days.len(), 1);
    assert_eq!((stats.days[0].stored, stats.days[0].leaks), (2, 1));
    assert_eq!(queue.labelled_scores(&ann).unwrap()[0].label, "accidental");
    assert!(acts(&queue).contains(&(Act::Leak, "Ann".to_owned())));
    sound(&queue);
}

#[test]
fn what_is_deleted_leaves_no_byte_of_key_or_ciphertext() {
    let fixture = Fixture::new();
    let mut queue = fixture.queue();
    let directory = queue.directory().to_owned();
    let (gone, stays) = (store(&mut queue, 1), store(&mut queue, 2));
    let read = |id: &ClipId| -> (Vec<u8>, Vec<u8>) {
        let db = rusqlite::Connection::open(directory.join("queue.db")).unwrap();
        let sql = "SELECT wrapped_key, sealed FROM clip WHERE id = ?1";
        db.query_row(sql, [id.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).unwrap()
    };
    let [(key, sealed), (other_key, _)] = [read(&gone), read(&stays)];
    let here = |needle: &[u8]| files(&directory).iter().any(|(_, bytes)| holds(bytes, needle));
    // SQLite parts a large value over pages; a part of it lies in one of them.
    let part = &sealed[50_000..50_200];
    assert!(here(&key) && here(part) && here(&other_key));
    queue.delete(&person("Ann"), &gone).unwrap();
    assert!(!here(&key) && !here(&key[..30]) && !here(part));
    assert!(here(&other_key));
    // A rotation leaves nothing of the old wrapping either.
    queue.rotate_key(&person("Ann")).unwrap();
    assert!(!here(&other_key) && !here(&other_key[30..]));
    assert_eq!(queue.next_for(&person("Ann")).unwrap().unwrap().audio.samples(), noise(48_000, 2));
    sound(&queue);
}

#[test]
fn clips_expire_on_time_on_read_and_by_the_sweep() {
    let fixture = Fixture::with(Settings { retention_days: 2.0, ..open_settings() });
    let mut queue = fixture.queue();
    let ann = person("Ann");
    let first = store(&mut queue, 1);
    fixture.clock.pass(DAY_MS);
    let second = store(&mut queue, 2);
    assert_eq!(queue.next_for(&ann).unwrap().unwrap().id, first);
    fixture.clock.pass(DAY_MS - 1);
    assert_eq!(queue.waiting().unwrap(), 2);
    fixture.clock.pass(1);
    // The lease does not save it.
    assert!(queue.play(&ann, &first).unwrap().is_none());
    assert_eq!(queue.label(&ann, &first, Label::Intended).unwrap(), Answer::Gone);
    assert_eq!(queue.next_for(&ann).unwrap().unwrap().id, second);
    fixture.clock.pass(DAY_MS);
    assert_eq!(queue.sweep().unwrap(), 1);
    assert_eq!(queue.sweep().unwrap(), 0);
    let expired = acts(&queue).iter().filter(|(act, _)| *act == Act::Expired).count();
    assert_eq!(expired, 2);
    assert_eq!(queue.stats().unwrap().days.iter().map(|day| day.expired).sum::<u64>(), 2);
    sound(&queue);
}

#[test]
fn a_full_queue_drops_the_new_clip_and_counts_it() {
    for settings in [
        Settings { max_clips: 2, ..open_settings() },
        // Each is 96 kB of ciphertext: ten fit into a megabyte.
        Settings { max_mb: 1, ..open_settings() },
    ] {
        let fixture = Fixture::with(settings);
        let mut queue = fixture.queue();
        let room = if fixture.settings.max_clips == 2 { 2 } else { 10 };
        let kept: Vec<ClipId> = (0..room).map(|seed| store(&mut queue, seed)).collect();
        assert_eq!(queue.store(clip(99)).unwrap(), Stored::Dropped(Stop::QueueFull));
        let listed: Vec<ClipId> =
            queue.list(&person("Ann")).unwrap().into_iter().map(|entry| entry.id).collect();
        assert_eq!(listed.len(), kept.len());
        assert!(kept.iter().all(|id| listed.contains(id)));
        assert_eq!(queue.stats().unwrap().days[0].stopped["queue_full"], 1);
        queue.delete(&person("Ann"), &kept[0]).unwrap();
        store(&mut queue, 99);
    }
}

#[test]
fn the_panic_wipe_leaves_no_clip_and_another_key() {
    let fixture = Fixture::new();
    let mut queue = fixture.queue();
    let mut other = fixture.reopen().unwrap();
    let key = std::fs::read(queue.directory().join("device.key")).unwrap();
    (0..5).for_each(|seed| drop(store(&mut queue, seed)));
    assert_eq!(queue.purge_all(&person("Owner")).unwrap(), 5);
    assert_eq!(queue.waiting().unwrap(), 0);
    assert!(queue.consent().unwrap().is_some(), "only the clips go");
    let files = files(queue.directory());
    assert!(files.iter().all(|(_, bytes)| bytes.is_empty() || !holds(bytes, &key)));
    assert!(files.iter().all(|(name, _)| name != "device.key.next"));
    sound(&queue);
    // Another process that had the queue open goes on with the new key.
    let id = store(&mut other, 9);
    assert_eq!(queue.next_for(&person("Ann")).unwrap().unwrap().id, id);
}

#[test]
fn a_queue_that_cannot_be_opened_can_be_destroyed() {
    let fixture = Fixture::new();
    let mut queue = fixture.queue();
    store(&mut queue, 1);
    let directory = queue.directory().to_owned();
    drop(queue);
    std::fs::remove_file(directory.join("device.key")).unwrap();
    let error = fixture.reopen().err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Review);
    assert!(error.hint_text().unwrap().contains("purge --all"), "{error}");
    let settings = Settings { directory: directory.clone(), ..open_settings() };
    wakegate::review::destroy(&settings).unwrap();
    assert_eq!(files(&directory), []);
    let mut queue = fixture.reopen().unwrap();
    assert_eq!(queue.consent().unwrap(), None);
    assert_eq!(queue.waiting().unwrap(), 0);
}

#[test]
fn every_act_is_a_line_with_who_did_it() {
    let fixture = Fixture::new();
    let mut queue = fixture.queue();
    let ann = person("Ann");
    let id = store(&mut queue, 1);
    queue.list(&ann).unwrap();
    queue.next_for(&ann).unwrap();
    queue.label(&person("Bob"), &id, Label::Intended).unwrap();
    queue.label(&ann, &id, Label::Accidental).unwrap();
    queue.labelled_scores(&ann).unwrap();
    queue.rotate_key(&person("Owner")).unwrap();
    queue.revoke_consent(&person("Owner")).unwrap();
    let said: Vec<(Act, String)> = acts(&queue);
    let expected = [
        (Act::Created, "wakegate"),
        (Act::ConsentGiven, "Owner"),
        (Act::Stored, "wakegate"),
        (Act::Listed, "Ann"),
        (Act::Played, "Ann"),
        (Act::Refused, "Bob"),
        (Act::Labelled, "Ann"),
        (Act::Leak, "Ann"),
        (Act::Deleted, "Ann"),
        (Act::Exported, "Ann"),
        (Act::KeyRotated, "Owner"),
        (Act::ConsentRevoked, "Owner"),
        (Act::Purged, "Owner"),
    ];
    assert_eq!(said, expected.map(|(act, by)| (act, by.to_owned())));
    sound(&queue);
}
