//! The reviewer's page as an attacker uses it.

use std::net::TcpStream;
use std::sync::Arc;

use serde_json::json;
use tempfile::TempDir;
use wakegate_cli::page::{Limits, Options, Server, TlsFiles};

use crate::review_support::{HandClock, open_settings, queue, reopen, store};
use crate::web_support::{Client, Page, exchange, exchange_bytes, options};

/// Every request that gives or changes anything, and needs a session.
const CLOSED: [(&str, &str, &str); 8] = [
    ("GET", "/api/standing", ""),
    ("GET", "/api/overview", ""),
    ("POST", "/api/next", "{}"),
    ("GET", "/api/clips/00000000000000000000000000000000/audio", ""),
    ("GET", "/api/clips/00000000000000000000000000000000/picture", ""),
    ("POST", "/api/clips/00000000000000000000000000000000/decide", r#"{"decision":"delete"}"#),
    ("POST", "/api/purge", r#"{"confirm":"delete every clip"}"#),
    ("POST", "/api/logout", "{}"),
];

struct Scene {
    page: Page,
    clock: Arc<HandClock>,
    folder: TempDir,
}

fn scene(options: &Options) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let (settings, clock) = (open_settings(), HandClock::new());
    let mut queue = queue(folder.path(), &settings, &clock);
    store(&mut queue, 1);
    let page = Page::start(folder.path(), &settings, &clock, options);
    Scene { page, clock, folder }
}

fn statuses(client: &Client) -> Vec<u16> {
    CLOSED.iter().map(|(method, path, body)| client.send(method, path, body).status).collect()
}

#[test]
fn without_both_secrets_nothing_opens() {
    let Scene { page, folder: _folder, .. } = scene(&options(&["Ann"]));
    let ann = page.log_in("Ann");
    let no_cookie = Client { cookie: None, ..ann.clone() };
    let no_token = Client { token: None, ..ann.clone() };
    let zeros = "0".repeat(32);
    let wrong_token = Client { token: Some(zeros.clone()), ..ann.clone() };
    let name = ann.cookie.as_ref().unwrap().split('=').next().unwrap();
    let wrong_cookie = Client { cookie: Some(format!("{name}={zeros}")), ..ann.clone() };
    let swapped =
        Client { cookie: Some(format!("{name}={}", ann.token.as_ref().unwrap())), ..ann.clone() };
    for (what, client) in [
        ("neither", Client::of(page.address())),
        ("no cookie", no_cookie),
        ("no token", no_token),
        ("another token", wrong_token),
        ("another cookie", wrong_cookie),
        ("the token as cookie", swapped),
    ] {
        assert_eq!(statuses(&client), [401; CLOSED.len()], "{what}");
    }
    assert_eq!(ann.standing()["left"], 1, "and the session itself is well");
}

#[test]
fn a_link_works_once_and_not_for_ever() {
    let Scene { page, clock, folder: _folder } = scene(&options(&["Ann"]));
    let (first, _) = page.secret("Ann");
    let ann = page.log_in("Ann");
    let mut thief = Client::of(page.address());
    assert_eq!(thief.log_in(&first).status, 403, "used");
    assert_eq!(ann.post("/api/logout", &json!({})).status, 200);
    assert_eq!(statuses(&ann), [401; CLOSED.len()], "a session that ended");
    assert_eq!(thief.log_in(&first).status, 403, "still used");

    let (second, count) = page.secret("Ann");
    assert_eq!(count, 2, "the end of a session makes a new link");
    assert_ne!(first, second);
    clock.pass(15 * 60_000);
    assert_eq!(thief.log_in(&second).status, 403, "too old");
    let asked = Client::of(page.address()).post("/api/link", &json!({}));
    assert_eq!((asked.status, asked.text().as_str()), (200, "{}"));
    assert_eq!(page.secret("Ann").1, 3, "a new one appears in the terminal only");
    Client::of(page.address()).post("/api/link", &json!({}));
    assert_eq!(page.secret("Ann").1, 3, "but no more than one");
    page.log_in("Ann");
}

#[test]
fn who_lost_their_page_ends_its_session_with_the_cookie() {
    let Scene { page, folder: _folder, .. } = scene(&options(&["Ann"]));
    let ann = page.log_in("Ann");
    let id = ann.next().unwrap();
    let reopened = Client { token: None, ..ann.clone() };
    let answer = reopened.post("/api/link", &json!({}));
    assert!(answer.header("set-cookie").unwrap().contains("Max-Age=0"));
    assert_eq!(statuses(&ann), [401; CLOSED.len()]);
    assert_eq!(page.log_in("Ann").next(), Some(id), "her clip was given back");
}

#[test]
fn guesses_are_counted_by_address_and_forgiven_in_time() {
    let limits = Limits { failures: 3, failures_s: 60, ..Limits::default() };
    let Scene { page, clock, folder: _folder } = scene(&Options { limits, ..options(&["Ann"]) });
    let mut client = Client::of(page.address());
    for guess in ["", "x", &"f".repeat(32)] {
        assert_eq!(client.log_in(guess).status, 403);
    }
    let limited = client.log_in("y");
    assert_eq!(limited.status, 429);
    assert_eq!(limited.header("retry-after"), Some("60"));
    clock.pass(59_000);
    assert_eq!(client.log_in("y").header("retry-after"), Some("1"));
    let secret = page.secret("Ann").0;
    assert_eq!(client.log_in(&secret).status, 200, "guesses of others shut nobody out");
    clock.pass(1000);
    assert_eq!(client.log_in("y").status, 403, "forgiven");
}

#[test]
fn sessions_end_when_idle_and_in_any_case() {
    let limits = Limits { idle_s: 600, session_s: 1500, ..Limits::default() };
    let Scene { page, clock, folder: _folder } = scene(&Options { limits, ..options(&["Ann"]) });
    let ann = page.log_in("Ann");
    clock.pass(599_000);
    assert_eq!(ann.standing()["session_s"], 1, "a page that asks by itself is idle");
    assert_eq!(ann.get("/api/overview").status, 200, "an act is not");
    clock.pass(599_000);
    assert_eq!(ann.get("/api/overview").status, 200);
    clock.pass(302_000);
    assert_eq!(ann.get("/api/overview").status, 401, "its time is up");

    let ann = page.log_in("Ann");
    let id = ann.next().unwrap();
    clock.pass(600_000);
    assert_eq!(ann.get(&format!("/api/clips/{id}/audio")).status, 401, "idle");
    assert_eq!(page.log_in("Ann").next(), Some(id));
}

#[test]
fn audio_that_nobody_fetches_does_not_wait() {
    let Scene { page, clock, folder: _folder } = scene(&options(&["Ann"]));
    let ann = page.log_in("Ann");
    let id = ann.next().unwrap();
    clock.pass(60_000);
    assert_eq!(ann.get(&format!("/api/clips/{id}/audio")).status, 410);
}

#[test]
fn another_page_is_refused() {
    let Scene { page, folder: _folder, .. } = scene(&options(&["Ann"]));
    let ann = page.log_in("Ann");
    let port = page.address().port();
    for origin in [
        "http://evil.example".to_owned(),
        "null".to_owned(),
        "http://127.0.0.1:1".to_owned(),
        format!("https://127.0.0.1:{port}"),
        format!("http://127.0.0.1:{port}.evil.example"),
        String::new(),
    ] {
        let client = Client { origin: Some(origin.clone()), ..ann.clone() };
        assert_eq!(statuses(&client), [403; CLOSED.len()], "{origin:?}");
        let login = client.clone().log_in(&page.secret("Ann").0);
        assert_eq!(login.status, 403, "{origin:?}");
    }
    let no_origin = Client { origin: None, ..ann.clone() };
    assert_eq!(no_origin.post("/api/next", &json!({})).status, 403, "a write without an origin");
    for site in ["cross-site", "same-site", "none"] {
        let client = Client { fetch_site: Some(site), ..ann.clone() };
        assert_eq!(statuses(&client), [403; CLOSED.len()], "{site}");
    }
    let form = Client { kind: "text/plain", ..ann.clone() };
    assert_eq!(form.post("/api/next", &json!({})).status, 415, "what a plain form can send");
    let preflight = Client { origin: Some("http://evil.example".to_owned()), ..ann.clone() };
    let answer = preflight.send("OPTIONS", "/api/next", "");
    assert_eq!(answer.status, 403);
    assert!(answer.header("access-control-allow-origin").is_none());
    assert_eq!(ann.standing()["left"], 1);
}

#[test]
fn a_foreign_name_for_this_address_is_refused() {
    let Scene { page, folder: _folder, .. } = scene(&options(&["Ann"]));
    let ann = page.log_in("Ann");
    let port = page.address().port();
    for host in [
        format!("evil.example:{port}"),
        "127.0.0.1".to_owned(),
        "127.0.0.1:1".to_owned(),
        format!("localhost.evil.example:{port}"),
        String::new(),
    ] {
        let client = Client { host: host.clone(), ..ann.clone() };
        assert_eq!(statuses(&client), [421; CLOSED.len()], "{host:?}");
        assert_eq!(client.get("/").status, 421, "{host:?}");
    }
    let local = Client { host: format!("localhost:{port}"), ..ann.clone() };
    assert_eq!(local.get("/").status, 200);
    let twice = format!(
        "GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nHost: evil\r\nConnection: close\r\n\r\n"
    );
    assert!(matches!(exchange(page.address(), twice.as_bytes()), Some(a) if a.status == 421));
    let absolute = format!(
        "GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    );
    assert_eq!(exchange(page.address(), absolute.as_bytes()).unwrap().status, 421);
}

#[test]
fn no_path_is_a_file() {
    let Scene { page, folder, .. } = scene(&options(&["Ann"]));
    let ann = page.log_in("Ann");
    for path in [
        "/../Cargo.toml",
        "/..%2f..%2fetc/passwd",
        "/page.css/../../device.key",
        "//etc/passwd",
        "/assets/page.html",
        "/queue.db",
        "/api/clips/../overview",
        "/api/clips/..%2F..%2Fdevice.key/audio",
        "/api/clips/%2e%2e/audio",
        "/api/clips/'%20OR%201=1--/audio",
        "/api/clips/device.key%00/audio",
    ] {
        let answer = ann.get(path);
        assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        assert!(answer.header("content-security-policy").is_some(), "{path}");
    }
    assert!(folder.path().join("device.key").exists());
}

#[test]
fn what_is_too_large_or_no_request_is_refused() {
    let Scene { page, folder: _folder, .. } = scene(&options(&["Ann"]));
    let ann = page.log_in("Ann");
    let large = format!("{{\"secret\":\"{}\"}}", "x".repeat(5000));
    assert_eq!(ann.send("POST", "/api/login", &large).status, 413);
    assert_eq!(ann.send("POST", "/api/next", &" ".repeat(5000)).status, 413);
    let chunked = format!(
        "POST /api/login HTTP/1.1\r\nHost: {host}\r\nOrigin: http://{host}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\
         Connection: close\r\n\r\n2000\r\n{}\r\n0\r\n\r\n",
        " ".repeat(0x2000),
        host = page.address(),
    );
    assert_eq!(exchange(page.address(), chunked.as_bytes()).unwrap().status, 413);
    let claimed = "POST /api/login HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\
                   Connection: close\r\n\r\n";
    let answer = exchange(page.address(), claimed.as_bytes()).unwrap();
    assert!(matches!(answer.status, 413 | 421), "{}", answer.status);
    let head = format!("GET / HTTP/1.1\r\nHost: x\r\nX: {}\r\n\r\n", "y".repeat(70_000));
    assert!(exchange(page.address(), head.as_bytes()).is_none_or(|a| a.status == 431));
    for noise in ["\0\0\0\0\r\n\r\n", "\x16\x03\x01 hello over TLS?\r\n\r\n", "GET\r\n\r\n"] {
        let answer = exchange(page.address(), noise.as_bytes());
        assert!(answer.is_none_or(|a| a.status == 400), "{noise:?}");
    }
    for body in ["", "{", "[]", r#"{"decision":"keep"}"#, r#"{"decision":"delete","x":1}"#] {
        let path = "/api/clips/00000000000000000000000000000000/decide";
        let status = ann.send("POST", path, body).status;
        assert!((400..500).contains(&status), "{body}: {status}");
    }
    assert_eq!(ann.standing()["left"], 1);
    // Connections that say nothing take places, but not all of them for ever.
    let silent: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(page.address()).unwrap()).collect();
    assert_eq!(ann.standing()["left"], 1);
    drop(silent);
}

#[test]
fn every_answer_closes_the_doors_of_the_browser() {
    let Scene { page, folder: _folder, .. } = scene(&options(&["Ann"]));
    let ann = page.log_in("Ann");
    let id = ann.next().unwrap();
    for path in
        ["/", "/page.js", "/page.css", "/none", "/api/standing", &format!("/api/clips/{id}/audio")]
    {
        let answer = ann.get(path);
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{path}: {policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{path}: {policy}");
        for (name, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{path}: {name}");
        }
    }
    let html = ann.get("/").text();
    for inline in ["<style", "style=", "onclick", "onload", "http:", "https:", "//"] {
        assert!(!html.contains(inline), "the page holds {inline}");
    }
}

#[test]
fn what_others_can_reach_is_refused_without_tls() {
    let folder = tempfile::tempdir().unwrap();
    let (settings, clock) = (open_settings(), HandClock::new());
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.7:7871"] {
        let queue = reopen(folder.path(), &settings, &clock).unwrap();
        let options = Options { listen: listen.parse().unwrap(), ..options(&["Ann"]) };
        let started = Server::start(&options, queue, None, Arc::clone(&clock) as _, |_| {});
        let Err(error) = started else { panic!("{listen} was listened on") };
        assert!(error.to_string().contains("without TLS"), "{error}");
        assert!(error.to_string().contains("--tls-cert"), "{error}");
    }
}

#[test]
fn with_tls_it_speaks_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(vec!["box.example".to_owned()]).unwrap();
    let files = TlsFiles {
        certificate: folder.path().join("cert.pem"),
        key: folder.path().join("key.pem"),
    };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    let options = Options {
        listen: "0.0.0.0:0".parse().unwrap(),
        names: vec!["box.example".to_owned()],
        tls: Some(files.clone()),
        ..options(&["Ann"])
    };
    let Scene { page, folder: _folder, .. } = scene(&options);
    let port = page.address().port();
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    let plain = format!("GET / HTTP/1.1\r\nHost: box.example:{port}\r\n\r\n");
    let answer = exchange_bytes(address, plain.as_bytes());
    assert!(!answer.starts_with(b"HTTP"), "plain HTTP on the TLS port");

    let mut client = Client::of(address);
    client.host = format!("box.example:{port}");
    client.origin = Some(format!("https://box.example:{port}"));
    let secret = json!({ "secret": page.secret("Ann").0 }).to_string();
    let request = client.request("POST", "/api/login", &secret);
    let answer =
        crate::web_support::tls::exchange(address, "box.example", &files, request.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let cookie = answer.header("set-cookie").unwrap();
    assert!(cookie.starts_with("__Host-") && cookie.contains("; Secure"), "{cookie}");

    std::fs::write(&files.key, "no key").unwrap();
    let queue = reopen(folder.path(), &open_settings(), &HandClock::new()).unwrap();
    let started = Server::start(&options, queue, None, HandClock::new(), |_| {});
    let Err(error) = started else { panic!("it started without a key") };
    assert!(error.to_string().contains("a private key in PEM"), "{error}");
}
