//! The list of the worst mistakes as HTML.

use super::page::{escape, put};
use super::worst::Entry;

/// The `entries` of `of` that there are under their `title`; `none` is said where there are none.
pub fn list(page: &mut String, title: &str, none: &str, entries: &[Entry], of: usize) {
    put(page, format_args!("<h2>{title}</h2>\n"));
    if entries.is_empty() {
        put(page, format_args!("<p class=\"soft\">{none}.</p>\n"));
        return;
    }
    let count = entries.len();
    put(page, format_args!("<p class=\"soft small\">{count} of {of}</p>\n<ol class=\"list\">\n"));
    for entry in entries {
        // The file's own name is what a person looks for; its folders are often all the same.
        let (folder, name) = match entry.name.rfind('/') {
            Some(place) => entry.name.split_at(place + 1),
            None => ("", entry.name.as_str()),
        };
        put(page, format_args!("<li class=\"card\"><b>{}</b><br>", escape(name)));
        if !folder.is_empty() {
            soft(page, folder);
            page.push_str("<br>");
        }
        page.push_str(&escape(&entry.facts));
        if !entry.values.is_empty() {
            let values: Vec<String> =
                entry.values.iter().map(|(column, value)| format!("{column} {value}")).collect();
            page.push_str("<br>");
            soft(page, &values.join(" · "));
        }
        match &entry.audio {
            Some(Ok(uri)) => {
                put(page, format_args!("<audio controls preload=\"none\" src=\"{uri}\"></audio>"));
            }
            Some(Err(why)) => {
                page.push_str("<br>");
                soft(page, &format!("no audio: {why}"));
            }
            None => {}
        }
        page.push_str("</li>\n");
    }
    page.push_str("</ol>\n");
}

fn soft(page: &mut String, text: &str) {
    put(page, format_args!("<span class=\"soft small\">{}</span>", escape(text)));
}
