//! Where the page is: its address, the names that it answers to, and TLS.

use std::net::{IpAddr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use wakegate::{Error, ErrorKind, Result};

/// A certificate with its chain and its key, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate, and those that it rests on.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// The address of the page, and what a browser may call it.
#[derive(Debug, Clone)]
pub(super) struct Site {
    secure: bool,
    port: u16,
    /// Hosts as they stand in the header, the first in the links.
    hosts: Vec<String>,
}

impl Site {
    /// Binds `listen`. Without TLS it must be a loopback address: what is bound elsewhere
    /// could be read on the way.
    pub(super) fn bind(
        listen: SocketAddr,
        names: &[String],
        secure: bool,
    ) -> Result<(Self, TcpListener)> {
        if !listen.ip().is_loopback() && !secure {
            return Err(Error::new(ErrorKind::Settings, format!("will not listen on {listen}"))
                .expected("a loopback address, or a certificate and its key")
                .found("an address that others can reach, without TLS")
                .hint("--tls-cert and --tls-key, or `ssh -L` to the loopback address"));
        }
        if listen.ip().is_unspecified() && names.is_empty() {
            return Err(Error::new(ErrorKind::Settings, format!("will not listen on {listen}"))
                .expected("the name that the browser will use")
                .found("none")
                .hint("--name HOST, as in the certificate"));
        }
        if let Some(name) = names.iter().find(|name| !is_name(name)) {
            return Err(Error::new(ErrorKind::Settings, "this host name is refused")
                .expected("letters, digits, dots and hyphens, without a port")
                .found(format!("{name:?}")));
        }
        let refused = |error: std::io::Error| {
            let refused = Error::new(ErrorKind::Io, format!("cannot listen on {listen}"));
            refused.found(error.to_string()).hint("--listen takes another address and port")
        };
        let listener = TcpListener::bind(listen).map_err(refused)?;
        listener.set_nonblocking(true).map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        let port = address.port();
        let mut bare: Vec<String> = names.to_vec();
        if !address.ip().is_unspecified() {
            bare.push(bracketed(address.ip()));
        }
        if address.ip().is_loopback() {
            bare.push("localhost".to_owned());
        }
        let standard = port == if secure { 443 } else { 80 };
        let host = |name: String| if standard { name } else { format!("{name}:{port}") };
        let hosts = bare.into_iter().map(|name| host(name.to_ascii_lowercase())).collect();
        Ok((Self { secure, port, hosts }, listener))
    }

    /// Whether a request for `host` is meant for this page, and not for a name that somebody
    /// else's name server has pointed here.
    pub(super) fn is_host(&self, host: &str) -> bool {
        self.hosts.iter().any(|ours| ours.eq_ignore_ascii_case(host))
    }

    /// Whether `origin` is this page.
    pub(super) fn is_origin(&self, origin: &str) -> bool {
        origin.strip_prefix(self.scheme()).is_some_and(|host| self.is_host(host))
    }

    /// The link of a secret. It stands behind the `#`, which a browser sends to nobody.
    pub(super) fn link(&self, secret: &str) -> String {
        let host = self.hosts.first().map_or("localhost", String::as_str);
        format!("{}{host}/#{secret}", self.scheme())
    }

    /// The name of the cookie. Cookies are shared by all ports of a host.
    pub(super) fn cookie_name(&self) -> String {
        let prefix = if self.secure { "__Host-" } else { "" };
        format!("{prefix}wakegate_{}", self.port)
    }

    /// The cookie with this value for so many seconds.
    pub(super) fn cookie(&self, value: &str, seconds: u64) -> String {
        let secure = if self.secure { "; Secure" } else { "" };
        let name = self.cookie_name();
        format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Strict{secure}")
    }

    fn scheme(&self) -> &'static str {
        if self.secure { "https://" } else { "http://" }
    }
}

fn bracketed(ip: IpAddr) -> String {
    if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() }
}

fn is_name(name: &str) -> bool {
    let known = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
    (1..=253).contains(&name.len()) && name.chars().all(known)
}

/// TLS 1.3 with the certificate and key of `files`.
pub(super) fn acceptor(files: &TlsFiles) -> Result<TlsAcceptor> {
    let refused = |path: &PathBuf, error: &dyn std::fmt::Display| {
        Error::new(ErrorKind::Settings, format!("cannot use {}", path.display()))
            .found(error.to_string())
    };
    let chain = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect::<std::result::Result<Vec<_>, _>>)
        .map_err(|error| refused(&files.certificate, &error).expected("certificates in PEM"))?;
    let key = PrivateKeyDer::from_pem_file(&files.key)
        .map_err(|error| refused(&files.key, &error).expected("a private key in PEM"))?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map(|builder| builder.with_no_client_auth())
        .and_then(|builder| builder.with_single_cert(chain, key))
        .map_err(|error| refused(&files.certificate, &error).expected("the key's certificate"))?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(listen: &str, names: &[&str], secure: bool) -> Result<(Site, TcpListener)> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        Site::bind(listen.parse().unwrap(), &names, secure)
    }

    #[test]
    fn what_others_can_reach_needs_tls_and_a_name() {
        for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0", "10.0.0.7:0"] {
            let error = site(listen, &["box.example"], false).unwrap_err();
            assert!(error.to_string().contains("without TLS"), "{listen}: {error}");
        }
        let error = site("0.0.0.0:0", &[], true).unwrap_err();
        assert!(error.to_string().contains("--name"), "{error}");
        assert!(site("0.0.0.0:0", &["box.example"], true).is_ok());
        assert!(site("127.0.0.1:0", &["evil.example/"], false).is_err());
    }

    #[test]
    fn only_its_own_names_are_its_own() {
        let (site, _listener) = site("127.0.0.1:0", &[], false).unwrap();
        let port = site.port;
        assert!(site.is_host(&format!("127.0.0.1:{port}")));
        assert!(site.is_host(&format!("LocalHost:{port}")));
        assert!(site.is_origin(&format!("http://127.0.0.1:{port}")));
        for other in ["127.0.0.1", "evil.example", &format!("evil.example:{port}"), ""] {
            assert!(!site.is_host(other), "{other}");
        }
        for other in ["null", &format!("https://127.0.0.1:{port}"), "http://127.0.0.1:1"] {
            assert!(!site.is_origin(other), "{other}");
        }
    }

    #[test]
    fn the_cookie_is_bound_to_the_page() {
        let (site, _listener) = site("127.0.0.1:0", &["box.example"], true).unwrap();
        let cookie = site.cookie("abc", 60);
        assert!(cookie.starts_with("__Host-wakegate_"), "{cookie}");
        for part in ["HttpOnly", "SameSite=Strict", "Secure", "Path=/", "Max-Age=60"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(site.link("s").starts_with("https://box.example:"), "{}", site.link("s"));
    }
}
