//! What a file is, by its own magic at its own place.

/// What begins with a magic number that is known. What is known and can't be read is refused by the
/// name that it has here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// RIFF or RIFX with WAVE in it, RF64 or BW64.
    Wave,
    /// Sony Wave64.
    Wave64,
    /// AIFF or AIFF-C.
    Aiff,
    /// Sun and NeXT audio.
    Au,
    /// NIST SPHERE.
    Sphere,
    /// Core Audio Format.
    Caf,
    /// FLAC without a container.
    Flac,
    /// Ogg.
    Ogg,
    /// MP4, M4A, QuickTime.
    Mp4,
    /// Matroska and WebM.
    Matroska,
    /// Sound of another form: a name for it.
    Other(&'static str),
    /// Something that holds no sound itself: a name for it.
    Silent(&'static str),
}

/// What follows the tag in a GUID that is made of one: Microsoft's, and that of Ambisonics.
pub(super) const TAGGED: [&[u8]; 2] = [
    b"\0\0\0\0\x10\0\x80\0\0\xaa\0\x38\x9b\x71",
    b"\0\0\x21\x07\xd3\x11\x86\x44\xc8\xc1\xca\0\0\0",
];

/// The sixteen bytes with which Wave64 begins.
pub(super) const WAVE64: [u8; 16] = *b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00";

/// Magic numbers at the start that tell all: the bytes, and what they stand for.
const STARTS: [(&[u8], Known); 43] = [
    (b"RF64", Known::Wave),
    (b"BW64", Known::Wave),
    (&WAVE64, Known::Wave64),
    (b".snd", Known::Au),
    (b"dns.", Known::Au),
    (b"NIST_1A\n", Known::Sphere),
    (b"caff", Known::Caf),
    (b"fLaC", Known::Flac),
    (b"OggS", Known::Ogg),
    (b"\x1a\x45\xdf\xa3", Known::Matroska),
    (b"wvpk", Known::Other("WavPack")),
    (b"MAC ", Known::Other("Monkey's Audio (APE)")),
    (b"tBaK", Known::Other("TAK")),
    (b"TTA1", Known::Other("True Audio (TTA)")),
    (b"TTA2", Known::Other("True Audio (TTA)")),
    (b"OFR ", Known::Other("OptimFROG")),
    (b"ajkg", Known::Other("Shorten")),
    (b"MPCK", Known::Other("Musepack")),
    (b"MP+", Known::Other("Musepack")),
    (b"#!AMR", Known::Other("AMR")),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Known::Other("ASF (WMA)")),
    (b".RMF", Known::Other("RealMedia")),
    (b".ra\xfd", Known::Other("RealAudio")),
    (b"DSD ", Known::Other("DSF (DSD)")),
    (b"FRM8", Known::Other("DSDIFF (DSD)")),
    (b"FLV", Known::Other("Flash video")),
    (b"\x00\x00\x01\xba", Known::Other("an MPEG program stream")),
    (b"\x0b\x77", Known::Other("AC-3")),
    (b"\x7f\xfe\x80\x01", Known::Other("DTS")),
    (b"MThd", Known::Silent("MIDI, which holds notes and no sound")),
    (b"\x1f\x8b", Known::Silent("a gzip archive")),
    (b"\x28\xb5\x2f\xfd", Known::Silent("a Zstandard archive")),
    (b"\xfd7zXZ\x00", Known::Silent("an xz archive")),
    (b"BZh", Known::Silent("a bzip2 archive")),
    (b"\x04\x22\x4d\x18", Known::Silent("an LZ4 archive")),
    (b"PK\x03\x04", Known::Silent("a zip archive")),
    (b"7z\xbc\xaf\x27\x1c", Known::Silent("a 7-Zip archive")),
    (b"Rar!", Known::Silent("a RAR archive")),
    (b"%PDF", Known::Silent("PDF")),
    (b"\x89PNG", Known::Silent("a PNG picture")),
    (b"\xff\xd8\xff", Known::Silent("a JPEG picture")),
    (b"\x89HDF", Known::Silent("HDF5")),
    (b"\x93NUMPY", Known::Silent("a NumPy array")),
];

/// The first boxes of MP4 and QuickTime files.
const BOXES: [&[u8; 4]; 9] =
    [b"ftyp", b"moov", b"mdat", b"moof", b"styp", b"wide", b"pnot", b"free", b"skip"];

/// What a file that begins with `head` is; none where no magic says so. Elementary streams of MPEG
/// audio and AAC have none: their frames are looked for.
pub(super) fn known(head: &[u8]) -> Option<Known> {
    let form = head.get(8..12);
    if head.starts_with(b"RIFF") || head.starts_with(b"RIFX") {
        return Some(match form {
            None | Some(b"WAVE") => Known::Wave,
            Some(b"AVI ") => Known::Other("AVI video"),
            Some(b"RMID") => Known::Silent("MIDI, which holds notes and no sound"),
            Some(b"WEBP") => Known::Silent("a WebP picture"),
            Some(_) => Known::Silent("a RIFF file without sound"),
        });
    }
    if head.starts_with(b"FORM") {
        return Some(match form {
            None | Some(b"AIFF" | b"AIFC") => Known::Aiff,
            Some(b"8SVX" | b"16SV") => Known::Other("Amiga 8SVX"),
            Some(_) => Known::Silent("an IFF file without sound"),
        });
    }
    if head.get(4..8).is_some_and(|name| BOXES.iter().any(|known| known.as_slice() == name)) {
        return Some(Known::Mp4);
    }
    if head.get(257..262) == Some(b"ustar") {
        return Some(Known::Silent("a tar archive"));
    }
    let sync = |place: usize| head.get(place) == Some(&0x47);
    if sync(0) && sync(188) && sync(376) && sync(564) {
        return Some(Known::Other("an MPEG transport stream"));
    }
    STARTS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, known)| *known)
}
