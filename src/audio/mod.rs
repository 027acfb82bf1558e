//! Where samples come from: decoded files, raw PCM streams, and their conversion to 16 kHz mono.
