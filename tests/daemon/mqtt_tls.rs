//! MQTT with TLS, against a real broker that asks for certificates and passwords.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::daemon_mqtt::broker_with;
use crate::daemon_support::live::{Live, folder, free_port};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

/// An authority, with a certificate for the broker and one for its client, as files.
fn authority(folder: &Path, name: &str) {
    let params = |names: &[&str]| {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        CertificateParams::new(names).unwrap()
    };
    let mut own = params(&[]);
    own.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    own.distinguished_name.push(rcgen::DnType::CommonName, name);
    let authority = CertifiedIssuer::self_signed(own, KeyPair::generate().unwrap()).unwrap();
    fs::write(folder.join(format!("{name}.pem")), authority.as_ref().pem()).unwrap();
    for (role, names) in [("broker", &["localhost", "127.0.0.1"][..]), ("client", &["client"])] {
        let key = KeyPair::generate().unwrap();
        let certificate = params(names).signed_by(&key, &authority).unwrap();
        fs::write(folder.join(format!("{name}-{role}.pem")), certificate.pem()).unwrap();
        let file = folder.join(format!("{name}-{role}.key"));
        fs::write(&file, key.serialize_pem()).unwrap();
        // The broker gives up being root before it reads its own.
        let mode = if role == "client" { 0o600 } else { 0o644 };
        fs::set_permissions(file, fs::Permissions::from_mode(mode)).unwrap();
    }
}

/// A folder with two authorities and a daemon's settings that end in `more`.
fn home(port: u16, more: &str) -> tempfile::TempDir {
    let folder = folder(&format!("[mqtt]\nbroker = \"127.0.0.1:{port}\"\ntls = true\n{more}"));
    authority(folder.path(), "ours");
    authority(folder.path(), "theirs");
    // So that the broker can look into it once it is not root any more.
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    folder
}

fn listener(folder: &Path, more: &str) -> String {
    let file = |name: &str| folder.join(name).display().to_string();
    format!(
        "cafile {}\ncertfile {}\nkeyfile {}\n{more}",
        file("ours.pem"),
        file("ours-broker.pem"),
        file("ours-broker.key")
    )
}

#[test]
fn a_broker_of_our_authority_is_believed_and_of_another_is_not() {
    let name = "a_broker_of_our_authority_is_believed_and_of_another_is_not";
    let port = free_port();
    for (authority, said) in
        [("ours", "connected broker="), ("theirs", "no connection to the broker")]
    {
        let home = home(port, &format!("ca_file = \"{authority}.pem\"\n"));
        let more = listener(home.path(), "allow_anonymous true\n");
        let Some(_broker) = broker_with(name, home.path(), port, &more) else { return };
        let live = Live::start(home.path());
        live.wait_for(said);
        let connected = live.said().contains("connected broker=");
        assert_eq!(connected, authority == "ours", "{}", live.said());
    }
}

#[test]
fn without_a_file_the_systems_authorities_count_and_there_have_to_be_some() {
    let name = "without_a_file_the_systems_authorities_count_and_there_have_to_be_some";
    let port = free_port();
    let home = home(port, "");
    let more = listener(home.path(), "allow_anonymous true\n");
    let Some(_broker) = broker_with(name, home.path(), port, &more) else { return };
    let with = |file: &str| {
        let file = home.path().join(file);
        Live::start_with(home.path(), &[], |command| {
            command.env("SSL_CERT_FILE", file).env_remove("SSL_CERT_DIR");
        })
    };
    with("ours.pem").wait_for("connected broker=");
    fs::write(home.path().join("empty.pem"), "").unwrap();
    let mut none = with("empty.pem");
    assert_eq!(none.end().code(), Some(2), "{}", none.said());
    none.wait_for("the MQTT broker can't prove who it is");
    none.wait_for("mqtt.ca_file names your own authority");
}

#[test]
fn a_broker_that_asks_for_a_certificate_and_a_password_gets_both() {
    let name = "a_broker_that_asks_for_a_certificate_and_a_password_gets_both";
    let port = free_port();
    let identity = "ca_file = \"ours.pem\"\nclient_certificate = \"ours-client.pem\"\n\
                    client_key_file = \"ours-client.key\"\n";
    let known = "username = \"ada\"\npassword_file = \"password\"\n";
    for (settings, connects) in [
        ([identity, known].concat(), true),
        (identity.to_owned(), false),
        (["ca_file = \"ours.pem\"\n", known].concat(), false),
    ] {
        let home = home(port, &settings);
        fs::write(home.path().join("password"), "s3cret words\n").unwrap();
        let mode = fs::Permissions::from_mode(0o600);
        fs::set_permissions(home.path().join("password"), mode).unwrap();
        let users = home.path().join("users");
        let made = std::process::Command::new("mosquitto_passwd")
            .args(["-b", "-c"])
            .arg(&users)
            .args(["ada", "s3cret words"])
            .status();
        if !made.is_ok_and(|status| status.success()) {
            return crate::skip::skipped(name, "there is no mosquitto_passwd");
        }
        fs::set_permissions(&users, fs::Permissions::from_mode(0o644)).unwrap();
        let more = format!("require_certificate true\npassword_file {}\n", users.display());
        let more = listener(home.path(), &more);
        let Some(_broker) = broker_with(name, home.path(), port, &more) else { return };
        let live = Live::start(home.path());
        live.wait_for(if connects { "connected broker=" } else { "no connection to the broker" });
        assert_eq!(live.said().contains("connected broker="), connects, "{}", live.said());
        assert!(!live.said().contains("s3cret"), "{}", live.said());
    }
}
