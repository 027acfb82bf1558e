//! What Home Assistant is told of us: one discovery message for each entity.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::metrics::VERDICTS;
use super::mqtt::WORD;

/// Our name.
const NAME: &str = "wakegate";
/// Most characters of a topic that an identifier shows.
const MOST_SHOWN: usize = 48;

/// An entity: component, key and configuration.
struct Entity {
    component: &'static str,
    key: &'static str,
    config: Value,
}

/// Topic and payload of every discovery message of the daemon with this topic, below the prefix
/// `discovery`.
pub(super) fn announcements(discovery: &str, topic: &str) -> Vec<(String, String)> {
    let id = identifier(topic);
    let message = |Entity { component, key, config }| {
        (format!("{discovery}/{component}/{id}/{key}/config"), config.to_string())
    };
    entities(topic).into_iter().map(message).collect()
}

/// `topic` as a part of an entity's identifier: small letters, digits, and single `_` between
/// them. Several topics may give the same; Home Assistant numbers such entities.
fn slug(topic: &str) -> String {
    let mut slug = String::new();
    for c in topic.chars().flat_map(char::to_lowercase) {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            'ä' => slug.push_str("ae"),
            'ö' => slug.push_str("oe"),
            'ü' => slug.push_str("ue"),
            'ß' => slug.push_str("ss"),
            _ if slug.ends_with('_') => {}
            _ => slug.push('_'),
        }
    }
    slug.truncate(MOST_SHOWN);
    let slug = slug.trim_matches('_');
    if slug.is_empty() { NAME.to_owned() } else { slug.to_owned() }
}

/// `topic` as an identifier that no other topic has.
fn identifier(topic: &str) -> String {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let levels = topic.split('/').all(|level| !level.is_empty() && level.chars().all(plain));
    if levels && topic.len() <= MOST_SHOWN {
        return slug(topic);
    }
    let digest = Sha256::digest(topic);
    let mark: String = digest.iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    format!("{}_{mark}", slug(topic))
}

/// What Home Assistant shows of the daemon with this topic.
fn entities(topic: &str) -> Vec<Entity> {
    let (id, slug) = (identifier(topic), slug(topic));
    let version = env!("CARGO_PKG_VERSION");
    // Home Assistant puts the device's name before the entities' own: we are named in it once.
    let place = topic.split('/').filter(|level| !level.eq_ignore_ascii_case(NAME));
    let place: Vec<&str> = place.collect();
    let device = json!({
        "identifiers": [format!("wakegate_{id}")],
        "name": format!("Wakegate {}", place.join("/")).trim_end(),
        "manufacturer": NAME,
        "sw_version": version,
    });
    let origin =
        json!({"name": NAME, "sw_version": version, "support_url": env!("CARGO_PKG_REPOSITORY")});
    let entity = |component: &'static str, key: &'static str, name: &str, own: Value| {
        let mut config = json!({
            "name": name,
            "unique_id": format!("wakegate_{id}_{key}"),
            "default_entity_id": format!("{component}.{slug}_{key}"),
            "availability_topic": format!("{topic}/status"),
            "device": device,
            "origin": origin,
        });
        if let (Some(config), Value::Object(own)) = (config.as_object_mut(), own) {
            config.extend(own);
        }
        Entity { component, key, config }
    };
    let counter = |key: &'static str, name: &str| {
        let own = json!({
            "state_topic": format!("{topic}/counters"),
            "value_template": format!("{{{{ value_json.{key} }}}}"),
            "state_class": "total_increasing",
        });
        entity("sensor", key, name, own)
    };
    let verdicts = VERDICTS.map(|verdict| verdict.as_str());
    let types = [&[WORD], &verdicts[..]].concat();
    let activation = json!({
        "state_topic": format!("{topic}/event"),
        "event_types": types,
    });
    let last = json!({
        "state_topic": format!("{topic}/last"),
        "value_template": "{{ value_json.verdict }}",
        "json_attributes_topic": format!("{topic}/last"),
        "device_class": "enum",
        "options": verdicts,
    });
    let problem = json!({
        "state_topic": format!("{topic}/counters"),
        "value_template": "{{ 'OFF' if value_json.healthy else 'ON' }}",
        "device_class": "problem",
        "entity_category": "diagnostic",
    });
    let mut lost = counter("lost_frames", "Audio frames lost");
    lost.config["entity_category"] = "diagnostic".into();
    vec![
        entity("event", "activation", "Activation", activation),
        entity("sensor", "last", "Last verdict", last),
        counter("words", "Wake words"),
        counter("intended", "Intended activations"),
        counter("accidental", "Accidental activations"),
        counter("unsure", "Unsure activations"),
        lost,
        entity("binary_sensor", "problem", "Microphone", problem),
    ]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The keys that Home Assistant's schemas for discovery accept since 2026.4, where `object_id`
    /// went: those of every read-only entity, ...
    const COMMON: [&str; 22] = [
        "availability",
        "availability_mode",
        "availability_template",
        "availability_topic",
        "default_entity_id",
        "device",
        "enabled_by_default",
        "encoding",
        "entity_category",
        "entity_picture",
        "icon",
        "json_attributes_template",
        "json_attributes_topic",
        "name",
        "origin",
        "payload_available",
        "payload_not_available",
        "qos",
        "state_topic",
        "unique_id",
        "value_template",
        "group",
    ];
    /// ... those of one component alone, ...
    const OWN: [(&str, &[&str]); 3] = [
        ("event", &["device_class", "event_types"]),
        (
            "sensor",
            &[
                "device_class",
                "expire_after",
                "force_update",
                "last_reset_value_template",
                "options",
                "state_class",
                "suggested_display_precision",
                "unit_of_measurement",
            ],
        ),
        (
            "binary_sensor",
            &[
                "device_class",
                "expire_after",
                "force_update",
                "off_delay",
                "payload_off",
                "payload_on",
            ],
        ),
    ];
    /// ... and those of the two objects in them.
    const DEVICE: [&str; 12] = [
        "configuration_url",
        "connections",
        "hw_version",
        "identifiers",
        "manufacturer",
        "model",
        "model_id",
        "name",
        "serial_number",
        "suggested_area",
        "sw_version",
        "via_device",
    ];
    const ORIGIN: [&str; 3] = ["name", "support_url", "sw_version"];
    const TOPICS: [&str; 9] = [
        "wakegate",
        "home/hall",
        "Küche 1.links",
        "a. b",
        "_x_",
        "日本",
        "living_room",
        "A/B",
        "a/b",
    ];

    fn keys(value: &Value) -> impl Iterator<Item = &str> {
        value.as_object().unwrap().keys().map(String::as_str)
    }

    #[test]
    fn every_key_is_one_that_home_assistant_accepts() {
        for Entity { component, key, config } in TOPICS.into_iter().flat_map(entities) {
            let own = OWN.iter().find(|(name, _)| *name == component).unwrap().1;
            for found in keys(&config) {
                assert!(COMMON.contains(&found) || own.contains(&found), "{key}: {found}");
            }
            assert!(keys(&config["device"]).all(|key| DEVICE.contains(&key)));
            assert!(keys(&config["origin"]).all(|key| ORIGIN.contains(&key)));
            // Options need the class, and exclude the other.
            assert_eq!(config.get("options").is_some(), config["device_class"] == "enum", "{key}");
            assert!(config.get("options").is_none() || config.get("state_class").is_none());
        }
    }

    /// As Home Assistant checks an entity's identifier.
    fn is_entity_id(id: &str) -> bool {
        let (domain, object) = id.split_once('.').unwrap();
        let part = |part: &str| {
            let known = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            let edges = part.starts_with('_') || part.ends_with('_');
            !part.is_empty() && part.chars().all(known) && !edges
        };
        part(domain) && part(object) && !domain.contains("__") && id.len() <= 255
    }

    #[test]
    fn whatever_the_topic_the_identifiers_are_taken() {
        let long = "Ü".repeat(100);
        for topic in TOPICS.into_iter().chain([long.as_str()]) {
            for Entity { key, config, .. } in entities(topic) {
                let id = config["default_entity_id"].as_str().unwrap();
                assert!(is_entity_id(id) && !id.contains("__"), "{topic}: {id}");
                assert!(id.ends_with(key), "{topic}: {id}");
            }
            for (message, _) in announcements("homeassistant", topic) {
                let levels: Vec<&str> = message.split('/').collect();
                let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
                assert_eq!(levels.len(), 5, "{message}");
                assert!(levels.iter().all(|level| level.chars().all(plain)), "{message}");
            }
        }
        assert!(slug("Küche 1.links").starts_with("kueche_1_links"));
    }

    #[test]
    fn no_two_topics_are_one_device() {
        let topics = [
            "a b", "a.b", "a_b", "A_b", "a/b", "A/b", "a//b", "ab", "ä b", "ae b", "küche",
            "kueche", "日本", "日", "wakegate", "_",
        ];
        let found: BTreeSet<String> = topics.into_iter().map(identifier).collect();
        assert_eq!(found.len(), topics.len(), "{found:?}");
        assert_eq!(
            (identifier("wakegate"), identifier("home/hall")),
            ("wakegate".into(), "home_hall".into())
        );
    }

    #[test]
    fn the_device_says_its_name_once() {
        let name = |topic: &str| entities(topic)[0].config["device"]["name"].clone();
        assert_eq!(name("wakegate"), "Wakegate");
        assert_eq!(name("wakegate/hall"), "Wakegate hall");
        assert_eq!(name("home/Wakegate"), "Wakegate home");
        assert_eq!(name("home/hall"), "Wakegate home/hall");
        for Entity { config, .. } in entities("wakegate/hall") {
            let entity = config["name"].as_str().unwrap().to_lowercase();
            assert!(!entity.contains("wakegate") && !entity.contains("hall"), "{entity}");
        }
    }
}
