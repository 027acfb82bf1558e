//! Choosing a device and its form, without a sound card.

use super::SupportedBufferSize::{Range, Unknown};
use super::*;

fn names() -> Vec<Named> {
    [
        ("null", "Discard all samples"),
        ("default", "Default Audio Device"),
        ("sysdefault:CARD=Mic", "USB Mic, USB Audio"),
        ("hw:CARD=Mic,DEV=0", "USB Mic, USB Audio"),
        ("plughw:CARD=Mic,DEV=0", "USB Mic, USB Audio"),
        ("hw:CARD=1,DEV=0", "USB Mic, USB Audio"),
        ("hw:CARD=seeed,DEV=0", "seeed-4mic-voicecard, AC108"),
        ("hw:CARD=usb,DEV=0", "USB Camera, USB Audio"),
    ]
    .map(|(id, name)| Named { id: id.to_owned(), name: name.to_owned() })
    .to_vec()
}

fn chosen(wanted: &str) -> Result<String> {
    let names = names();
    let list: Vec<&Named> = names.iter().collect();
    choose_device(wanted, &list).map(|place| names[place].id.clone())
}

#[test]
fn a_device_is_found_by_identifier_name_or_part() {
    for (wanted, id) in [
        ("null", "null"),
        ("plughw:CARD=Mic,DEV=0", "plughw:CARD=Mic,DEV=0"),
        ("USB Mic, USB Audio", "hw:CARD=Mic,DEV=0"),
        ("usb mic", "hw:CARD=Mic,DEV=0"),
        ("seeed", "hw:CARD=seeed,DEV=0"),
        ("ac108", "hw:CARD=seeed,DEV=0"),
    ] {
        assert_eq!(chosen(wanted).unwrap(), id, "{wanted}");
    }
}

#[test]
fn a_name_that_fits_two_cards_or_none_is_refused() {
    let error = chosen("usb audio").unwrap_err().to_string();
    assert_eq!(
        error,
        "which \"usb audio\"?: expected a name that fits one device, found hw:CARD=Mic,DEV=0 and \
         hw:CARD=usb,DEV=0 (hint: give the identifier that `wakegate devices` shows)"
    );
    let error = chosen("blue yeti").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Device);
    assert!(error.to_string().starts_with("no input device \"blue yeti\": expected"), "{error}");
}

fn range(channels: u16, low: u32, high: u32, format: SampleFormat) -> SupportedStreamConfigRange {
    SupportedStreamConfigRange::new(channels, low, high, Unknown, format)
}

fn settings() -> CardSettings {
    CardSettings { device: None, rate: None, channels: None, channel: Channel::Mix, ring_s: 2.0 }
}

fn form_of(settings: &CardSettings, ranges: &[SupportedStreamConfigRange]) -> (u16, u32, String) {
    let (config, format) = choose_form(settings, ranges, 2).unwrap();
    (config.channels, config.sample_rate, format.to_string())
}

#[test]
fn the_card_s_own_rate_and_the_best_format_are_taken() {
    use SampleFormat::{DsdU8, F32, I16, I24, U8};
    let mic = [range(1, 16_000, 48_000, I16), range(2, 16_000, 48_000, I16)];
    assert_eq!(form_of(&settings(), &mic), (2, 48_000, "i16".to_owned()));
    let array = [range(4, 16_000, 16_000, I16), range(4, 16_000, 16_000, I24)];
    assert_eq!(form_of(&settings(), &array), (4, 16_000, "i24".to_owned()));
    let odd = [range(1, 96_000, 96_000, F32), range(1, 8_000, 22_050, U8)];
    assert_eq!(form_of(&settings(), &odd), (1, 16_000, "u8".to_owned()));
    let high = [range(2, 768_000, 768_000, I16), range(2, 88_200, 96_000, I16)];
    assert_eq!(form_of(&settings(), &high), (2, 96_000, "i16".to_owned()));
    assert!(choose_form(&settings(), &[range(1, 44_100, 44_100, DsdU8)], 1).is_err());
}

#[test]
fn what_is_asked_for_is_what_is_taken_or_refused() {
    let many: Vec<_> = (1..=8).map(|n| range(n, 8_000, 192_000, SampleFormat::I32)).collect();
    let asked = CardSettings { rate: Some(22_050), channels: Some(6), ..settings() };
    assert_eq!(form_of(&asked, &many), (6, 22_050, "i32".to_owned()));
    let third = CardSettings { channel: Channel::One(3), ..settings() };
    assert_eq!(form_of(&third, &many), (3, 48_000, "i32".to_owned()));
    for refused in [
        CardSettings { rate: Some(4_000), ..settings() },
        CardSettings { channels: Some(9), ..settings() },
        CardSettings { channel: Channel::One(9), ..settings() },
    ] {
        let error = choose_form(&refused, &many, 2).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Device, "{error}");
    }
}

#[test]
fn every_refusal_says_what_and_how_out() {
    for (kind, start, hint) in [
        (Kind::DeviceBusy, "hw:1,0 is busy: ", "fuser"),
        (Kind::DeviceNotAvailable, "hw:1,0 is not there: ", "plug it in"),
        (Kind::PermissionDenied, "hw:1,0 may not be used: ", "group audio"),
        (Kind::UnsupportedConfig, "hw:1,0 does not have this form: ", "wakegate devices"),
        (Kind::BackendError, "hw:1,0 can't be opened: ", "dmesg"),
    ] {
        let error = refused("hw:1,0", &kind.into());
        assert!(error.to_string().starts_with(start), "{error}");
        assert!(error.hint_text().unwrap().contains(hint), "{error}");
    }
}

#[test]
fn an_overrun_of_the_device_is_counted_and_its_loss_is_a_fault() {
    let (mut writer, mut reader) = ring(100, 1, Channel::Mix).unwrap();
    let (mut fault_in, mut fault_out) = faults();
    let flow = Arc::clone(writer.flow());
    report(Kind::Xrun.into(), &flow, &mut fault_in);
    writer.push(&[0_i16; 10], f32::from_sample);
    writer.push(&[0_i16; 10], f32::from_sample);
    let mut out = Vec::new();
    assert!(reader.pop(&mut out).unwrap().after_xrun);
    assert!(!reader.pop(&mut out).unwrap().after_xrun);
    assert_eq!(flow.xruns(), 1);
    assert!(fault_out.pop().is_err(), "an overrun is no reason to reopen");
    report(Kind::DeviceNotAvailable.into(), &flow, &mut fault_in);
    let error = fault_out.pop().unwrap().into_error("hw:1,0").to_string();
    assert_eq!(error, "hw:1,0: the device is gone (hint: plug it in again)");
}

#[test]
fn a_card_hands_over_half_a_step_or_what_it_can() {
    let any = Range { min: 1, max: u32::MAX };
    for (rate, frames) in [(16_000, 512), (44_100, 2048), (48_000, 2048), (96_000, 4096)] {
        assert_eq!(period(rate, &any), BufferSize::Fixed(frames), "{rate} Hz");
    }
    assert_eq!(period(48_000, &Range { min: 64, max: 1024 }), BufferSize::Fixed(1024));
    assert_eq!(period(48_000, &Range { min: 4096, max: 8192 }), BufferSize::Fixed(4096));
    assert_eq!(period(48_000, &Unknown), BufferSize::Default);
    assert_eq!(period(1, &any), BufferSize::Fixed(1));
}
