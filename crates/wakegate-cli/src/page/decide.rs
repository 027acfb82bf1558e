//! What a reviewer decides about a clip, and takes back.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::api::{Answered, Asked, Nothing, asked, clip_id, word};
use super::app::{Acting, App};
use super::guard::Refusal;
use wakegate::Result;
use wakegate::intervals::Interval;
use wakegate::review::{Act, Answer, Certificate, ClipId, Label, Person, Queue, Stats};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Decide {
    /// `intended`, `accidental`, `unclear` or `delete`.
    decision: String,
    /// Whether it may be taken back for some seconds; an accidental clip is deleted at once.
    #[serde(default)]
    undo: bool,
}

/// How a decision ended, and where a leak leaves the figures.
#[derive(Serialize)]
pub(super) struct Decided {
    answer: &'static str,
    incident: Option<Incident>,
    /// Whether it can be taken back by now.
    undo: bool,
}

#[derive(Serialize)]
struct Incident {
    reviewed: u64,
    leaks: u64,
    leak_share: Interval,
    certificate: Option<Certificate>,
}

pub(super) async fn decide(
    State(app): State<Arc<App>>,
    Acting(visitor): Acting,
    Path(id): Path<String>,
    body: Asked<Decide>,
) -> Answered<Json<Decided>> {
    let Decide { decision, undo } = asked(body)?;
    let id = clip_id(&id)?;
    let label = match decision.as_str() {
        "delete" => None,
        text => Some(text.parse::<Label>().map_err(|_| {
            let known = "expected intended, accidental, unclear or delete";
            Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, known)
        })?),
    };
    let has_it = app.sessions()?.held(&visitor.person, &id).is_some();
    let who = visitor.person.clone();
    // The one before is settled by this one.
    let before = app.sessions()?.take_pending(&who);
    if let Some(before) = before {
        app.write(&who, before).await?;
    }
    if let Some(label @ (Label::Intended | Label::Unclear)) = label
        && undo
        && has_it
    {
        let clip = id.clone();
        let standing = app.desk(move |desk| desk.queue.standing(&who, Some(&clip))).await?;
        let answer = standing.clip.unwrap_or(Answer::Gone);
        let mut sessions = app.sessions()?;
        sessions.let_go(&visitor.person);
        let undo = answer == Answer::Done;
        if undo {
            let now_ms = app.now_ms();
            sessions.put_off(&visitor.person, id, label, now_ms);
        }
        return Ok(Json(Decided { answer: word(answer), incident: None, undo }));
    }
    let decided = app.desk(move |desk| act(&mut desk.queue, &who, &id, label, has_it)).await?;
    if has_it {
        app.sessions()?.let_go(&visitor.person);
    }
    Ok(Json(decided))
}

/// Only who has a clip may decide about it: nobody judges what they did not hear.
fn act(
    queue: &mut Queue,
    who: &Person,
    id: &ClipId,
    label: Option<Label>,
    has_it: bool,
) -> Result<Decided> {
    let standing = queue.standing(who, Some(id))?.clip.unwrap_or(Answer::Gone);
    let answer = match (label, standing) {
        (Some(label), _) if has_it => queue.label(who, id, label)?,
        (None, Answer::Done) if has_it => queue.delete(who, id)?,
        (_, standing) => {
            queue.note(who.as_str(), Act::Refused, Some("decide"))?;
            if standing == Answer::Done { Answer::Taken } else { standing }
        }
    };
    let incident = match answer {
        Answer::Leak => {
            let Stats { reviewed, leaks, leak_share, certificate, .. } = queue.stats()?;
            Some(Incident { reviewed, leaks, leak_share, certificate })
        }
        _ => None,
    };
    Ok(Decided { answer: word(answer), incident, undo: false })
}

/// Takes the last label back: its clip is the reviewer's next one again, and the one that is open
/// goes back to the queue.
pub(super) async fn undo(
    State(app): State<Arc<App>>,
    Acting(visitor): Acting,
    body: Asked<Nothing>,
) -> Answered<Response> {
    asked(body)?;
    let (undone, open) = {
        let mut sessions = app.sessions()?;
        let undone = sessions.take_pending(&visitor.person).is_some();
        let open = sessions.held_id(&visitor.person).filter(|_| undone);
        (undone, open)
    };
    if let Some(open) = open {
        app.sessions()?.let_go(&visitor.person);
        app.desk(move |desk| desk.queue.release(&visitor.person, &open)).await?;
    }
    Ok(Json(json!({ "undone": undone })).into_response())
}
