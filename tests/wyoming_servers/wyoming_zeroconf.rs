//! The server is found in the local network by itself, where it is told to be.

use std::time::{Duration, Instant};

use mdns_sd::{ServiceDaemon, ServiceEvent, ServiceInfo};

use crate::wyoming_support::Daemon;

const SERVICE: &str = "_wyoming._tcp.local.";

/// The ports under which services with a name that begins with `name` are found within `time`,
/// until `wanted` is.
fn found(browser: &ServiceDaemon, name: &str, wanted: u16, time: Duration) -> Vec<u16> {
    let events = browser.browse(SERVICE).unwrap();
    let late = Instant::now() + time;
    let mut ports = Vec::new();
    while Instant::now() < late && !ports.contains(&wanted) {
        if let Ok(ServiceEvent::ServiceResolved(info)) =
            events.recv_timeout(Duration::from_millis(200))
            && info.get_fullname().starts_with(name)
            && !info.get_addresses().is_empty()
        {
            assert!(
                info.get_addresses().iter().all(|it| !it.to_ip_addr().is_loopback()),
                "{info:?}"
            );
            ports.push(info.get_port());
        }
    }
    browser.stop_browse(SERVICE).unwrap();
    ports
}

#[test]
fn a_server_is_found_by_itself_where_the_settings_say_so_and_only_there() {
    let test = "a_server_is_found_by_itself_where_the_settings_say_so_and_only_there";
    let browser = ServiceDaemon::new().unwrap();
    let other = ServiceDaemon::new().unwrap();
    other
        .disable_interface(vec![mdns_sd::IfKind::LoopbackV4, mdns_sd::IfKind::LoopbackV6])
        .unwrap();
    let none: &[(&str, &str)] = &[];
    let probe = ServiceInfo::new(SERVICE, "probe of a test", "probe-of-a-test.local.", "", 9, none);
    other.register(probe.unwrap().enable_addr_auto()).unwrap();
    if !found(&browser, "probe of a test", 9, Duration::from_secs(15)).contains(&9) {
        return crate::skip::skipped(test, "multicast goes nowhere here");
    }
    let told = Daemon::start_at("tcp://0.0.0.0:0", &["--wyoming-set", "zeroconf=true"]);
    let port: u16 = told.uri.rsplit(':').next().unwrap().parse().unwrap();
    let ports = found(&browser, "wakegate", port, Duration::from_secs(60));
    assert!(ports.contains(&port), "{ports:?}, not {port}");
    drop(told.stop());
    let silent = Daemon::start_at("tcp://0.0.0.0:0", &[]);
    let port: u16 = silent.uri.rsplit(':').next().unwrap().parse().unwrap();
    let ports = found(&browser, "wakegate", port, Duration::from_secs(5));
    assert!(!ports.contains(&port), "{ports:?}");
}
