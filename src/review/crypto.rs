//! Keys, and what is done with them: XChaCha20-Poly1305, HKDF and HMAC with SHA-256.
//!
//! Randomness comes from the operating system and can't be replaced: a generator that a caller
//! hands in is a weakness, and no test needs one.

use chacha20poly1305::aead::inout::InOutBuf;
use chacha20poly1305::aead::{AeadInOut, KeyInit};
use chacha20poly1305::{Tag, XChaCha20Poly1305, XNonce};
use hkdf::Hkdf;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::id::ClipId;
use crate::gate::Guarded;
use crate::{Error, ErrorKind, Result};

/// Bytes of a key.
pub(super) const KEY_BYTES: usize = 32;
/// Bytes of a SHA-256 digest and of a MAC.
pub(super) const HASH_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const TAG_BYTES: usize = 16;

/// A key that is overwritten when dropped.
type Key = Zeroizing<[u8; KEY_BYTES]>;

/// The device's secret, as the keys derived from it.
pub(super) struct DeviceKey {
    wrapping: Key,
    signing: Key,
    sealing: Key,
    id: String,
}

impl DeviceKey {
    /// Derives the keys from the device's secret.
    pub(super) fn derive(secret: &[u8; KEY_BYTES]) -> Result<Self> {
        let derived = Hkdf::<Sha256>::new(Some(b"wakegate device key 1"), secret);
        let expand = |purpose: &str| -> Result<Key> {
            let mut key = Key::default();
            derived
                .expand(purpose.as_bytes(), key.as_mut_slice())
                .map_err(|_| refused("cannot derive a key"))?;
            Ok(key)
        };
        let id = hex(&expand("identifier")?[..8]);
        Ok(Self {
            wrapping: expand("wrapping")?,
            signing: expand("signing")?,
            sealing: expand("sealing")?,
            id,
        })
    }

    /// Tells device keys apart, and says nothing about them.
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// `key` of the clip `id`, readable only with this device key.
    pub(super) fn wrap(&self, id: &ClipId, key: &ClipKey) -> Result<Vec<u8>> {
        let mut bytes = key.0.clone();
        seal(&self.wrapping, &wrap_context(id), bytes.as_mut_slice())
    }

    /// The key that [`wrap`](Self::wrap) wrapped for the clip `id`.
    pub(super) fn unwrap_key(&self, id: &ClipId, wrapped: &[u8]) -> Result<ClipKey> {
        let mut key = Key::default();
        open(&self.wrapping, &wrap_context(id), wrapped, key.as_mut_slice())?;
        Ok(ClipKey(key))
    }

    /// `text`, readable only with this device key and in the same context.
    pub(super) fn seal_text(&self, context: &[u8], text: &str) -> Result<Vec<u8>> {
        seal_text(&self.sealing, context, text)
    }

    /// What [`seal_text`](Self::seal_text) sealed.
    pub(super) fn open_text(&self, context: &[u8], sealed: &[u8]) -> Result<String> {
        open_text(&self.sealing, context, sealed)
    }

    /// A MAC of `data`, of use for `purpose` alone.
    pub(super) fn mac(&self, purpose: &str, data: &[u8]) -> Result<[u8; HASH_BYTES]> {
        Ok(self.started_mac(purpose, data)?.finalize().into_bytes().into())
    }

    /// Whether `mac` is the one of `data`, in constant time.
    pub(super) fn is_mac(&self, purpose: &str, data: &[u8], mac: &[u8]) -> Result<bool> {
        Ok(self.started_mac(purpose, data)?.verify_slice(mac).is_ok())
    }

    fn started_mac(&self, purpose: &str, data: &[u8]) -> Result<Hmac<Sha256>> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(self.signing.as_slice())
            .map_err(|_| refused("cannot start a MAC"))?;
        mac.update(purpose.as_bytes());
        mac.update(&[0]);
        mac.update(data);
        Ok(mac)
    }
}

/// The key of one clip.
pub(super) struct ClipKey(Key);

impl ClipKey {
    pub(super) fn random() -> Result<Self> {
        let mut key = Key::default();
        random(key.as_mut_slice())?;
        Ok(Self(key))
    }

    /// The key itself, to be looked for where it must not be.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_slice()
    }

    /// `record` of the clip `id`, readable only with this key.
    pub(super) fn seal_record(&self, id: &ClipId, record: &str) -> Result<Vec<u8>> {
        seal_text(&self.0, &record_context(id), record)
    }

    /// What [`seal_record`](Self::seal_record) sealed for the clip `id`.
    pub(super) fn open_record(&self, id: &ClipId, sealed: &[u8]) -> Result<String> {
        open_text(&self.0, &record_context(id), sealed)
    }

    /// Encrypts `pcm` where it is, and gives nonce, ciphertext and tag.
    pub(super) fn seal(&self, context: &[u8], pcm: &mut Guarded<u8>) -> Result<Vec<u8>> {
        seal(&self.0, context, pcm.as_mut_slice())
    }

    /// What [`seal`](Self::seal) sealed in the same context.
    pub(super) fn open(&self, context: &[u8], sealed: &[u8]) -> Result<Guarded<u8>> {
        let length = sealed.len().saturating_sub(NONCE_BYTES + TAG_BYTES);
        let mut pcm = Guarded::new(length);
        open(&self.0, context, sealed, pcm.as_mut_slice())?;
        Ok(pcm)
    }
}

/// What a clip's ciphertext is bound to: its id and its record.
pub(super) fn clip_context(id: &ClipId, record: &str) -> Vec<u8> {
    format!("wakegate clip 1\0{id}\0{record}").into_bytes()
}

fn wrap_context(id: &ClipId) -> Vec<u8> {
    format!("wakegate clip key 1\0{id}").into_bytes()
}

fn record_context(id: &ClipId) -> Vec<u8> {
    format!("wakegate clip record 1\0{id}").into_bytes()
}

fn seal_text(key: &Key, context: &[u8], text: &str) -> Result<Vec<u8>> {
    seal(key, context, Zeroizing::new(text.as_bytes().to_vec()).as_mut_slice())
}

fn open_text(key: &Key, context: &[u8], sealed: &[u8]) -> Result<String> {
    let mut text = vec![0; sealed.len().saturating_sub(NONCE_BYTES + TAG_BYTES)];
    open(key, context, sealed, &mut text)?;
    String::from_utf8(text).map_err(|_| refused("what was decrypted is no text"))
}

/// Nonce, ciphertext and tag of `plain`, which is ciphertext after it.
fn seal(key: &Key, context: &[u8], plain: &mut [u8]) -> Result<Vec<u8>> {
    let mut nonce = [0; NONCE_BYTES];
    random(&mut nonce)?;
    let cipher = XChaCha20Poly1305::new(key.as_slice().try_into().map_err(|_| refused("key"))?);
    let tag = cipher
        .encrypt_inout_detached(&XNonce::from(nonce), context, InOutBuf::from(&mut *plain))
        .map_err(|_| refused("cannot encrypt"))?;
    let mut sealed = Vec::with_capacity(NONCE_BYTES + plain.len() + TAG_BYTES);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plain);
    sealed.extend_from_slice(&tag);
    Ok(sealed)
}

/// Decrypts `sealed` into `plain`, which has the length of its plaintext.
fn open(key: &Key, context: &[u8], sealed: &[u8], plain: &mut [u8]) -> Result<()> {
    let altered = || {
        refused("cannot decrypt")
            .expected("what this device key encrypted")
            .found("altered data, or another device's")
            .hint("`wakegate review audit verify` says what was changed")
    };
    if sealed.len() != NONCE_BYTES + plain.len() + TAG_BYTES {
        return Err(altered());
    }
    let (nonce, rest) = sealed.split_at(NONCE_BYTES);
    let (ciphertext, tag) = rest.split_at(plain.len());
    plain.copy_from_slice(ciphertext);
    let nonce = XNonce::try_from(nonce).map_err(|_| altered())?;
    let tag = Tag::try_from(tag).map_err(|_| altered())?;
    let cipher = XChaCha20Poly1305::new(key.as_slice().try_into().map_err(|_| refused("key"))?);
    cipher
        .decrypt_inout_detached(&nonce, context, InOutBuf::from(plain), &tag)
        .map_err(|_| altered())
}

/// SHA-256 of the parts, one after the other.
pub(super) fn sha256(parts: &[&[u8]]) -> [u8; HASH_BYTES] {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().into()
}

/// Fills `bytes` from the operating system.
pub(super) fn random(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes).map_err(|error| {
        refused("the operating system gives no random numbers").found(error.to_string())
    })
}

/// Lower-case hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn refused(message: &str) -> Error {
    Error::new(ErrorKind::Review, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(digit: char) -> ClipId {
        digit.to_string().repeat(32).parse().unwrap()
    }

    fn pcm(bytes: &[u8]) -> Guarded<u8> {
        let mut pcm = Guarded::new(bytes.len());
        pcm.as_mut_slice().copy_from_slice(bytes);
        pcm
    }

    #[test]
    fn what_is_sealed_opens_only_unchanged_and_in_its_context() {
        let key = ClipKey::random().unwrap();
        let context = clip_context(&id('a'), "{}");
        let mut plain = pcm(b"sixteen samples!");
        let sealed = key.seal(&context, &mut plain).unwrap();
        assert_ne!(plain.as_slice(), b"sixteen samples!", "encrypted where it was");
        assert_eq!(key.open(&context, &sealed).unwrap().as_slice(), b"sixteen samples!");
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(key.open(&context, &changed).is_err(), "byte {place}");
        }
        for length in 0..sealed.len() {
            assert!(key.open(&context, &sealed[..length]).is_err(), "{length} bytes");
        }
        assert!(key.open(&clip_context(&id('b'), "{}"), &sealed).is_err());
        assert!(key.open(&clip_context(&id('a'), "{ }"), &sealed).is_err());
        assert!(ClipKey::random().unwrap().open(&context, &sealed).is_err());
    }

    #[test]
    fn a_wrapped_key_is_of_use_to_its_clip_and_device_alone() {
        let (device, other) =
            (DeviceKey::derive(&[1; 32]).unwrap(), DeviceKey::derive(&[2; 32]).unwrap());
        let key = ClipKey::random().unwrap();
        let wrapped = device.wrap(&id('a'), &key).unwrap();
        assert_eq!(device.unwrap_key(&id('a'), &wrapped).unwrap().0, key.0);
        assert!(device.unwrap_key(&id('b'), &wrapped).is_err());
        assert!(other.unwrap_key(&id('a'), &wrapped).is_err());
        assert_ne!(device.id(), other.id());
    }

    #[test]
    fn a_sealed_text_opens_only_unchanged_with_its_key_and_in_its_context() {
        let (device, other) =
            (DeviceKey::derive(&[1; 32]).unwrap(), DeviceKey::derive(&[2; 32]).unwrap());
        let mut sealed = device.seal_text(b"1", "a line").unwrap();
        assert_eq!(device.open_text(b"1", &sealed).unwrap(), "a line");
        assert!(other.open_text(b"1", &sealed).is_err());
        assert!(device.open_text(b"2", &sealed).is_err());
        sealed[30] ^= 1;
        assert!(device.open_text(b"1", &sealed).is_err());
        assert!(device.open_text(b"1", &[]).is_err());
        let key = ClipKey::random().unwrap();
        let sealed = key.seal_record(&id('a'), "{}").unwrap();
        assert_eq!(key.open_record(&id('a'), &sealed).unwrap(), "{}");
        assert!(key.open_record(&id('b'), &sealed).is_err());
    }

    #[test]
    fn a_mac_is_of_use_for_its_purpose_and_data_alone() {
        let device = DeviceKey::derive(&[1; 32]).unwrap();
        let mac = device.mac("audit", b"data").unwrap();
        assert!(device.is_mac("audit", b"data", &mac).unwrap());
        assert!(!device.is_mac("audit", b"datA", &mac).unwrap());
        assert!(!device.is_mac("consent", b"data", &mac).unwrap());
        assert!(!device.is_mac("audit", b"data", &mac[..31]).unwrap());
    }
}
