//! Judges recordings of any form that the lab decodes.
//!
//! ```console
//! $ cargo run --release -p wakegate-lab --example judge_file -- data/alexa_lights.flac
//! ```

use wakegate::model::Model;
use wakegate_lab::decode::FileSource;
use wakegate_lab::scoring::Scorer;

fn main() -> wakegate::Result<()> {
    let mut scorer = Scorer::new(&Model::embedded()?, true)?;
    for path in std::env::args_os().skip(1) {
        let mut source = FileSource::open(&path)?;
        let scored = scorer.score(&mut source, None)?;
        match scored.best() {
            Some(best) => println!("{}: {} ({})", path.display(), best.verdict, best.reason),
            None => println!("{}: accidental (no candidate)", path.display()),
        }
    }
    Ok(())
}
