//! What makes the connection to the broker safe: the only code here that knows TLS, and what the
//! feature `tls` is for.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};

use super::mqtt_connection::{MOST_BYTES, refused, secret};
use crate::config::Mqtt;
use wakegate::{Error, ErrorKind, Result};

/// Whom to believe, and our own certificate if there is one.
pub(super) fn client(settings: &Mqtt) -> Result<ClientConfig> {
    let roots = roots(settings)?;
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|e| Error::new(ErrorKind::Settings, "cannot set up TLS").found(e.to_string()))?
        .with_root_certificates(roots);
    let (Some(certificate), Some(key)) = (&settings.client_certificate, &settings.client_key_file)
    else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = certificates(certificate, "mqtt.client_certificate")?;
    let text = secret(key, "mqtt.client_key_file")?;
    let private = PrivateKeyDer::from_pem_slice(&text).map_err(|e| {
        refused("mqtt.client_key_file", key).expected("a private key in PEM").found(e.to_string())
    })?;
    builder.with_client_auth_cert(chain, private).map_err(|e| {
        refused("mqtt.client_certificate", certificate)
            .expected("the certificate of mqtt.client_key_file")
            .found(e.to_string())
    })
}

/// Looks at all certificates that the settings name.
pub(super) fn check(settings: &Mqtt) -> Result<()> {
    roots(settings)?;
    let own = settings.client_certificate.as_deref();
    own.map_or(Ok(()), |file| certificates(file, "mqtt.client_certificate").map(drop))
}

/// The authorities that are believed.
fn roots(settings: &Mqtt) -> Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    if let Some(file) = &settings.ca_file {
        for certificate in certificates(file, "mqtt.ca_file")? {
            let refused = |e: &dyn std::fmt::Display| {
                refused("mqtt.ca_file", file)
                    .expected("certificates of authorities")
                    .found(e.to_string())
            };
            roots.add(certificate).map_err(|error| refused(&error))?;
        }
    } else {
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        if roots.is_empty() {
            return Err(Error::new(ErrorKind::Settings, "the MQTT broker can't prove who it is")
                .expected("certificates of authorities that this system trusts")
                .found("none")
                .hint("mqtt.ca_file names your own authority; Debian's package ca-certificates brings the public ones"));
        }
    }
    Ok(roots)
}

/// The certificates of a PEM file, at least one.
fn certificates(file: &Path, key: &str) -> Result<Vec<CertificateDer<'static>>> {
    let failed = |e: std::io::Error| Error::io("read", file, &e).expected(format!("PEM, by {key}"));
    let mut text = Vec::new();
    std::fs::File::open(file)
        .and_then(|open| open.take(MOST_BYTES).read_to_end(&mut text))
        .map_err(failed)?;
    let wrong = |found: String| refused(key, file).expected("certificates in PEM").found(found);
    let found = CertificateDer::pem_slice_iter(&text)
        .collect::<std::result::Result<Vec<_>, _>>()
        .map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() { Err(wrong("none".to_owned())) } else { Ok(found) }
}
