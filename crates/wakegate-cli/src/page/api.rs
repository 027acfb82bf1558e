//! The requests of the page's script.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get, post};
use axum::{Json, Router};
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::app::{Acting, App, Watching};
use super::guard::{MOST_BODY, Refusal, guard};
use super::picture::{Drawing, Kept, Prepared};
use super::{assets, decide, login};
use wakegate::Result;
use wakegate::audio::seconds;
use wakegate::intervals::{Interval, clopper_pearson};
use wakegate::review::CONFIDENCE;
use wakegate::review::{Answer, ClipId, Day, LeasedClip, Person, Queue, Standing, Stats};

/// What has to be sent along to delete everything.
const CONFIRMED: &str = "delete every clip";

pub(super) type Answered<T> = std::result::Result<T, Refusal>;
pub(super) type Asked<T> = std::result::Result<Json<T>, JsonRejection>;

/// Every path that is answered.
pub(super) fn router(app: Arc<App>) -> Router {
    let api: [(&str, MethodRouter<Arc<App>>); 11] = [
        ("/api/login", post(login::log_in)),
        ("/api/link", post(login::link)),
        ("/api/logout", post(login::log_out)),
        ("/api/standing", get(standing)),
        ("/api/next", post(next)),
        ("/api/clips/{id}/audio", get(audio)),
        ("/api/clips/{id}/picture", get(picture)),
        ("/api/clips/{id}/decide", post(decide::decide)),
        ("/api/undo", post(decide::undo)),
        ("/api/overview", get(overview)),
        ("/api/purge", post(purge)),
    ];
    let mut router = Router::new();
    for (path, kind, text) in assets::ALL {
        router = router.route(path, assets::serve(kind, text));
    }
    for (path, handler) in api {
        router = router.route(path, handler);
    }
    router
        .fallback(|| async { Refusal::new(StatusCode::NOT_FOUND, "there is nothing here") })
        .layer(DefaultBodyLimit::max(MOST_BODY))
        .layer(from_fn_with_state(Arc::clone(&app), guard))
        .with_state(app)
}

/// The JSON of a request. Every act asks for some, so that no plain form can be one.
pub(super) fn asked<T>(asked: Asked<T>) -> Answered<T> {
    asked.map(|Json(value)| value).map_err(|rejection| {
        Refusal::new(rejection.status(), "expected JSON of the form that the page sends")
    })
}

pub(super) fn clip_id(text: &str) -> Answered<ClipId> {
    text.parse().map_err(|_| Refusal::new(StatusCode::NOT_FOUND, "this is no clip"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// How many are left, and whether the clip that the visitor has is still theirs.
async fn standing(State(app): State<Arc<App>>, Watching(visitor): Watching) -> Answered<Response> {
    app.settle().await?;
    let (id, pending) = {
        let sessions = app.sessions()?;
        (sessions.held_id(&visitor.person), sessions.pending_id(&visitor.person))
    };
    let (who, clip) = (visitor.person.clone(), id.clone());
    let found = app.desk(move |desk| {
        desk.queue.sweep_if_due()?;
        standing_but(&mut desk.queue, &who, clip.as_ref(), pending.as_ref())
    });
    let found = found.await?;
    let clip = id.zip(found.clip);
    let clip = clip.map(|(id, answer)| json!({ "id": id.as_str(), "answer": word(answer) }));
    Ok(Json(json!({
        "reviewer": visitor.person.as_str(),
        "left": found.left,
        "elsewhere": found.elsewhere,
        "clip": clip,
        "session_s": visitor.session_s,
    }))
    .into_response())
}

/// How things stand, where a clip whose label may still be taken back counts as labelled.
fn standing_but(
    queue: &mut Queue,
    who: &Person,
    clip: Option<&ClipId>,
    pending: Option<&ClipId>,
) -> Result<Standing> {
    let mut standing = queue.standing(who, clip)?;
    if let Some(pending) = pending
        && queue.standing(who, Some(pending))?.clip == Some(Answer::Done)
    {
        standing.left -= 1;
    }
    Ok(standing)
}

/// The word that the page's script knows an answer by.
pub(super) fn word(answer: Answer) -> &'static str {
    match answer {
        Answer::Done => "done",
        Answer::Leak => "leak",
        Answer::Gone => "gone",
        Answer::Taken => "taken",
    }
}

/// A clip as the page shows it.
#[derive(Serialize)]
struct Shown {
    id: String,
    wake_word: String,
    model: String,
    p_intended: f32,
    p_not_wake_word: f32,
    p_not_addressed: f32,
    p_wake_word: f32,
    p_addressed: f32,
    spotter_peak: Option<f32>,
    seconds: f64,
    word_s: [f64; 2],
    stored_ms: i64,
    expires_in_s: i64,
    drawing: Drawing,
}

#[derive(Serialize)]
struct NextClip {
    left: u64,
    elsewhere: u64,
    clip: Option<Shown>,
}

async fn next(
    State(app): State<Arc<App>>,
    Acting(visitor): Acting,
    body: Asked<Nothing>,
) -> Answered<Json<NextClip>> {
    asked(body)?;
    let who = visitor.person.clone();
    let pending = app.sessions()?.pending_id(&who);
    let (standing, clip) = app
        .desk(move |desk| {
            let clip = desk.queue.next_but(&who, pending.as_ref())?;
            let now_ms = desk.queue.peek_ms()?;
            let shown = clip.map(|clip| {
                let record = &clip.record;
                let kept = Kept {
                    model: &record.model,
                    peak: record.spotter_peak,
                    word: [record.word_start, record.word_end],
                };
                let (drawing, prepared) = desk.painter.paint(&clip.audio, kept)?;
                Ok((shown(&clip, now_ms, drawing), clip.id, prepared))
            });
            let standing = standing_but(&mut desk.queue, &who, None, pending.as_ref())?;
            Ok((standing, shown.transpose()?))
        })
        .await?;
    let clip = match clip {
        Some((shown, id, prepared)) => {
            app.sessions()?.hold(&visitor.person, id, prepared, app.now_ms());
            Some(shown)
        }
        None => None,
    };
    Ok(Json(NextClip { left: standing.left, elsewhere: standing.elsewhere, clip }))
}

fn shown(clip: &LeasedClip, now_ms: i64, drawing: Drawing) -> Shown {
    let record = &clip.record;
    Shown {
        id: clip.id.as_str().to_owned(),
        wake_word: record.wake_word.clone(),
        model: record.model.clone(),
        p_intended: record.p_intended,
        p_not_wake_word: record.p_not_wake_word,
        p_not_addressed: record.p_not_addressed,
        p_wake_word: record.p_wake_word,
        p_addressed: record.p_addressed,
        spotter_peak: record.spotter_peak,
        seconds: record.seconds(),
        word_s: [seconds(record.word_start), seconds(record.word_end)],
        stored_ms: record.stored_ms,
        expires_in_s: record.expires_ms.saturating_sub(now_ms) / 1000,
        drawing,
    }
}

/// The WAV file of the clip that the visitor has: once, and never again under this lease.
async fn audio(
    State(app): State<Arc<App>>,
    Acting(visitor): Acting,
    Path(id): Path<String>,
) -> Answered<Response> {
    fetch(&app, &visitor.person, &id, "audio/wav", |prepared| prepared.wav.take()).await
}

/// The cells of its spectrogram: once.
async fn picture(
    State(app): State<Arc<App>>,
    Acting(visitor): Acting,
    Path(id): Path<String>,
) -> Answered<Response> {
    let kind = "application/octet-stream";
    fetch(&app, &visitor.person, &id, kind, |prepared| prepared.cells.take()).await
}

async fn fetch(
    app: &Arc<App>,
    who: &Person,
    id: &str,
    kind: &'static str,
    take: impl FnOnce(&mut Prepared) -> Option<super::picture::Body>,
) -> Answered<Response> {
    let id = clip_id(id)?;
    let gone = Refusal::new(StatusCode::GONE, "this was fetched already, or the clip is gone");
    let (reviewer, clip) = (who.clone(), id.clone());
    let standing = app.desk(move |desk| desk.queue.standing(&reviewer, Some(&clip))).await?;
    let mut sessions = app.sessions()?;
    let prepared = sessions.held(who, &id).ok_or(gone)?;
    if standing.clip != Some(Answer::Done) {
        prepared.wipe();
        return Err(gone);
    }
    let body = take(prepared).ok_or(gone)?;
    Ok(([(CONTENT_TYPE, kind)], Body::from(Bytes::from_owner(body))).into_response())
}

/// Share of leaks among all clips labelled up to a day, with its exact interval.
#[derive(Serialize)]
struct Course {
    date: String,
    reviewed: u64,
    leaks: u64,
    #[serde(flatten)]
    share: Interval,
}

fn course(days: &[Day]) -> Result<Vec<Course>> {
    let (mut reviewed, mut leaks) = (0, 0);
    let point = |day: &Day| {
        reviewed += day.reviewed;
        leaks += day.leaks;
        let share = clopper_pearson(leaks, reviewed, CONFIDENCE)?;
        Ok(Course { date: day.date.clone(), reviewed, leaks, share })
    };
    days.iter().map(point).collect()
}

#[derive(Serialize)]
struct Overview {
    today: String,
    course: Vec<Course>,
    retention_days: f64,
    daily_cap: u32,
    max_clips: u32,
    #[serde(flatten)]
    stats: Stats,
}

async fn overview(State(app): State<Arc<App>>, Acting(_): Acting) -> Answered<Json<Overview>> {
    let overview = app.desk(|desk| {
        let stats = desk.queue.stats()?;
        let today = desk.queue.today()?;
        let settings = desk.queue.settings();
        Ok(Overview {
            today,
            course: course(&stats.days)?,
            retention_days: settings.retention_days,
            daily_cap: settings.daily_cap,
            max_clips: settings.max_clips,
            stats,
        })
    });
    overview.await.map(Json)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Purge {
    confirm: String,
}

/// Deletes every clip and replaces the device key.
async fn purge(
    State(app): State<Arc<App>>,
    Acting(visitor): Acting,
    body: Asked<Purge>,
) -> Answered<Response> {
    if asked(body)?.confirm != CONFIRMED {
        let why = "deleting every clip needs a confirmation";
        return Err(Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, why));
    }
    // What was labelled keeps its label; only the clips go.
    let labelled = app.sessions()?.due(u64::MAX);
    for (reviewer, pending) in labelled {
        app.write(&reviewer, pending).await?;
    }
    let wiped = app.desk(move |desk| desk.queue.purge_all(&visitor.person)).await?;
    app.sessions()?.let_all_go();
    Ok(Json(json!({ "wiped": wiped })).into_response())
}
