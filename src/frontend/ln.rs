//! The natural logarithm over a slice, in plain arithmetic that compiles to vector code.
//!
//! The C library's `logf` differs between systems and is called once a value. This one takes
//! only additions, multiplications and a division, which IEEE 754 rounds the same everywhere.

/// Replaces every value by its natural logarithm, to within 1 ulp.
///
/// Values are positive and normal, or infinite, or NaN; the last two stay as they are.
/// Method and constants: `e_logf.c` of FreeBSD's msun (Sun Microsystems, 1993).
pub(super) fn ln_in_place(values: &mut [f32]) {
    for value in values {
        *value = ln(*value);
    }
}

/// Natural logarithm of a positive normal value; infinity and NaN stay as they are.
#[inline]
pub(super) fn ln(x: f32) -> f32 {
    const SQRT_HALF_BITS: u32 = 0x3f35_04f3;
    const ONE_BITS: u32 = 0x3f80_0000;
    const LN2_HIGH: f32 = f32::from_bits(0x3f31_7180);
    const LN2_LOW: f32 = f32::from_bits(0x3717_f7d1);
    const L1: f32 = f32::from_bits(0x3f2a_aaaa);
    const L2: f32 = f32::from_bits(0x3ecc_ce13);
    const L3: f32 = f32::from_bits(0x3e91_e9ee);
    const L4: f32 = f32::from_bits(0x3e78_9e26);

    // x = 2^k (1 + f), with 1 + f between sqrt(1/2) and sqrt(2).
    let shifted = x.to_bits().wrapping_add(ONE_BITS - SQRT_HALF_BITS);
    let k = ((shifted >> 23) as i32 - 127) as f32;
    let f = f32::from_bits((shifted & 0x007f_ffff) + SQRT_HALF_BITS) - 1.0;

    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let r = z * (L1 + w * L3) + w * (L2 + w * L4);
    let half_square = 0.5 * f * f;
    let ln = s * (half_square + r) + k * LN2_LOW - half_square + f + k * LN2_HIGH;
    if x < f32::INFINITY { ln } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_normal_value_is_within_one_ulp() {
        // Every 331st of the 2^31 patterns, and all of the octaves around 1, where the two
        // terms cancel.
        let near_one = 0.5f32.to_bits()..=2f32.to_bits();
        let all = (f32::MIN_POSITIVE.to_bits()..f32::INFINITY.to_bits()).step_by(331);
        let mut worst = 0f64;
        for x in near_one.step_by(7).chain(all).map(f32::from_bits) {
            let exact = f64::from(x).ln();
            let rounded = exact as f32;
            let ulp = f64::from(rounded.abs().next_up()) - f64::from(rounded.abs());
            worst = worst.max((f64::from(ln(x)) - exact).abs() / ulp);
        }
        assert!(worst < 1.0, "{worst} ulp");
        assert_eq!(ln(1.0), 0.0);
    }

    #[test]
    fn infinity_and_nan_stay() {
        let mut values = [f32::INFINITY, f32::NAN, 1.0];
        ln_in_place(&mut values);
        assert_eq!(values[0], f32::INFINITY);
        assert!(values[1].is_nan());
        assert_eq!(values[2], 0.0);
    }
}
