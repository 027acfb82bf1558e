//! The reviewer's page for the browser test: a queue of real clips under a clock that the test
//! turns. Reads one command a line, and answers each with one JSON line.

#[path = "../support/review/mod.rs"]
mod review_support;

use std::io::{BufRead, stdin};
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use wakegate::audio::Source;
use wakegate::gate::{Clock, Gate, Stop};
use wakegate::gate::{Heard, LiveAudio, Moment, Tape, system_draw};
use wakegate::model::{Model, Runtime};
use wakegate::pipeline::Pipeline;
use wakegate::review::{Certificate, Label, Queue, Settings, Stored};
use wakegate_cli::page::{Event, Limits, Options, Server};
use wakegate_lab::decode::FileSource;

use review_support::{DAY_MS, HandClock, open_settings, person, queue, reopen};

/// What the operator's terminal would show.
type Told = Arc<Mutex<Vec<Event>>>;

struct Host {
    folder: tempfile::TempDir,
    settings: Settings,
    clock: Arc<HandClock>,
    model: Model,
    queue: Queue,
    told: Told,
    server: Option<Server>,
}

fn main() {
    Runtime::Embedded.choose().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (settings, clock) = (open_settings(), HandClock::new());
    let queue = queue(folder.path(), &settings, &clock);
    let model = Model::embedded().unwrap();
    let told = Told::default();
    let mut host = Host { folder, settings, clock, model, queue, told, server: None };
    for line in stdin().lock().lines() {
        let answer = host.obey(&line.unwrap());
        // Flushed with each line, also into a pipe.
        println!("{answer}");
    }
}

impl Host {
    fn obey(&mut self, line: &str) -> Value {
        let (command, rest) = line.split_once(' ').unwrap_or((line, ""));
        match command {
            "serve" => self.serve(rest),
            "link" => json!(self.link(rest)),
            "store" => json!(self.store(Path::new(rest))),
            "pass" => {
                self.clock.pass(rest.parse().unwrap());
                Value::Null
            }
            "delete" => {
                let id = rest.parse().unwrap();
                json!(format!("{:?}", self.queue.delete(&person("Owner"), &id).unwrap()))
            }
            "purge" => json!(self.queue.purge_all(&person("Owner")).unwrap()),
            "history" => self.history(),
            "stats" => json!(self.queue.stats().unwrap()),
            "scores" => {
                let scores = self.queue.labelled_scores(&person("Owner")).unwrap();
                json!(scores.iter().map(|score| &score.label).collect::<Vec<_>>())
            }
            other => panic!("there is no command {other}"),
        }
    }

    /// Starts the page anew for the reviewers named.
    fn serve(&mut self, names: &str) -> Value {
        self.server = None;
        let options = Options {
            listen: "127.0.0.1:0".parse().unwrap(),
            names: Vec::new(),
            tls: None,
            reviewers: names.split(' ').map(person).collect(),
            limits: Limits::default(),
        };
        let queue = reopen(self.folder.path(), &self.settings, &self.clock).unwrap();
        let told = Arc::clone(&self.told);
        let tell = move |event| told.lock().unwrap().push(event);
        let clock = Arc::clone(&self.clock) as _;
        let server = Server::start(&options, queue, Some(&self.model), clock, tell).unwrap();
        let address = server.address().to_string();
        self.server = Some(server);
        json!(address)
    }

    /// The latest link of a reviewer.
    fn link(&self, name: &str) -> String {
        let told = self.told.lock().unwrap();
        let link = told.iter().rev().find_map(|event| match event {
            Event::Link { reviewer, url } if reviewer.as_str() == name => Some(url.clone()),
            _ => None,
        });
        link.unwrap()
    }

    /// Puts a recording through pipeline, gate and queue; gives the clips that came of it.
    fn store(&mut self, path: &Path) -> Vec<String> {
        let (policy, now) = (self.settings.policy().unwrap(), self.clock.now());
        let mut gate = Gate::new(policy.clone(), system_draw()).unwrap();
        let mut pipeline = Pipeline::new(&self.model).unwrap();
        let mut tape = Tape::new(&policy);
        let mut source = FileSource::open(path).unwrap();
        let mut block = vec![0.0; 1600];
        let mut stored = Vec::new();
        let (name, id) = (self.model.manifest().wake_word.clone(), self.model.manifest().id());
        let queue = &mut self.queue;
        let mut keep = |heard: Heard, audio: LiveAudio| {
            stored.extend(keep(queue, &mut gate, heard, audio, now));
        };
        let take = |tape: &mut Tape, activations: Vec<_>, keep: &mut dyn FnMut(_, _)| {
            for activation in activations {
                let heard = Heard { wake_word: name.clone(), model: id.clone(), activation };
                tape.take(heard, keep);
            }
        };
        loop {
            let count = source.read(&mut block).unwrap();
            let mut decided = Vec::new();
            let mut decide = |activation| decided.push(activation);
            if count == 0 {
                pipeline.finish(&mut decide).unwrap();
                take(&mut tape, decided, &mut keep);
                tape.finish(&mut keep);
                break;
            }
            tape.push(&block[..count], &mut keep);
            pipeline.push(&block[..count], &mut decide).unwrap();
            take(&mut tape, decided, &mut keep);
        }
        self.clock.pass(1000);
        stored
    }

    /// Three weeks of use, with what the overview shows of them.
    fn history(&mut self) -> Value {
        let (ann, owner) = (person("Ann"), person("Owner"));
        for day in 0..21_u64 {
            let stops = [
                (Stop::NotWakeWord, 14 + day * 7 % 11),
                (Stop::NotAddressed, 5 + day * 5 % 7),
                (Stop::Unsure, 2 + day % 3),
                (Stop::NotSampled, day % 4),
                (Stop::DailyCap, u64::from(day % 6 == 5)),
                (Stop::QuietHours, day % 2),
            ];
            self.queue.count_stops(&stops).unwrap();
            for seed in 0..(4 + day * 3 % 7) {
                review_support::store(&mut self.queue, 100 * day + seed);
            }
            while let Some(clip) = self.queue.next_for(&ann).unwrap() {
                let label = if day == 6 { Label::Accidental } else { Label::Intended };
                let label =
                    if self.queue.stats().unwrap().leaks > 0 { Label::Intended } else { label };
                self.queue.label(&ann, &clip.id, label).unwrap();
            }
            self.clock.pass(DAY_MS);
        }
        let certificate = Certificate {
            // Below what the demo's requests get, so that they are stored after it.
            threshold: 0.5,
            share: 0.01,
            confidence: 0.95,
            labels: 620,
            accidental: 1,
            upper: 0.007_63,
        };
        self.queue.set_certificate(&owner, &certificate).unwrap();
        Value::Null
    }
}

/// Stores what the gate lets through.
fn keep(
    queue: &mut Queue,
    gate: &mut Gate,
    heard: Heard,
    audio: LiveAudio,
    now: Moment,
) -> Option<String> {
    let state = queue.gate_state().unwrap();
    match queue.store(gate.admit(heard, audio, &state, now).ok()?).unwrap() {
        Stored::Kept(id) => Some(id.as_str().to_owned()),
        Stored::Dropped(_) => None,
    }
}
