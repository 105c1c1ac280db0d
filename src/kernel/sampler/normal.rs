//! Quantiles of the normal distribution.
#![expect(clippy::excessive_precision, reason = "the coefficients as published")]

/// The standard normal distribution's 99th percentile.
pub(super) const QUANTILE_99: f64 = 2.326_347_874_040_841;

/// Numerator and denominator, lowest power first.
type Rational = ([f64; 8], [f64; 8]);

/// For |p - 1/2| <= 0.425, in 0.425² - (p - 1/2)².
const CENTRE: Rational = (
    [
        3.387_132_872_796_366_608_0,
        1.331_416_678_917_843_774_5e2,
        1.971_590_950_306_551_442_7e3,
        1.373_169_376_550_946_112_5e4,
        4.592_195_393_154_987_145_7e4,
        6.726_577_092_700_870_085_3e4,
        3.343_057_558_358_812_810_5e4,
        2.509_080_928_730_122_672_7e3,
    ],
    [
        1.0,
        4.231_333_070_160_091_125_2e1,
        6.871_870_074_920_579_083_0e2,
        5.394_196_021_424_751_107_7e3,
        2.121_379_430_158_659_586_7e4,
        3.930_789_580_009_271_061_0e4,
        2.872_908_573_572_194_267_4e4,
        5.226_495_278_852_854_561_0e3,
    ],
);

/// For r = sqrt(-ln(min(p, 1 - p))) up to 5, in r - 1.6.
const SHOULDER: Rational = (
    [
        1.423_437_110_749_683_577_34,
        4.630_337_846_156_545_295_90,
        5.769_497_221_460_691_405_50,
        3.647_848_324_763_204_605_04,
        1.270_458_252_452_368_382_58,
        2.417_807_251_774_506_117_70e-1,
        2.272_384_498_926_918_458_33e-2,
        7.745_450_142_783_414_076_40e-4,
    ],
    [
        1.0,
        2.053_191_626_637_758_821_87,
        1.676_384_830_183_803_849_40,
        6.897_673_349_851_000_045_50e-1,
        1.481_039_764_274_800_745_90e-1,
        1.519_866_656_361_645_719_66e-2,
        5.475_938_084_995_344_946_00e-4,
        1.050_750_071_644_416_843_24e-9,
    ],
);

/// For r beyond 5, in r - 5.
const TAIL: Rational = (
    [
        6.657_904_643_501_103_777_20,
        5.463_784_911_164_114_369_90,
        1.784_826_539_917_291_335_80,
        2.965_605_718_285_048_912_30e-1,
        2.653_218_952_657_612_309_30e-2,
        1.242_660_947_388_078_438_60e-3,
        2.711_555_568_743_487_578_15e-5,
        2.010_334_399_292_288_132_65e-7,
    ],
    [
        1.0,
        5.998_322_065_558_879_376_90e-1,
        1.369_298_809_227_358_053_10e-1,
        1.487_536_129_085_061_485_25e-2,
        7.868_691_311_456_132_591_00e-4,
        1.846_318_317_510_054_681_80e-5,
        1.421_511_758_316_445_888_70e-7,
        2.044_263_103_389_939_785_64e-15,
    ],
);

/// The standard normal quantile of `p` in (0, 1): Wichura's PPND16 (Algorithm AS 241, Applied Statistics 37, 1988), a relative
/// error of about 1e-16.
pub(super) fn quantile(p: f64) -> f64 {
    debug_assert!(0.0 < p && p < 1.0);
    let from_centre = p - 0.5;
    if from_centre.abs() <= 0.425 {
        return from_centre * evaluate(&CENTRE, 0.180_625 - from_centre * from_centre);
    }
    let r = libm::sqrt(-libm::log(if from_centre < 0.0 { p } else { 1.0 - p }));
    let magnitude = if r <= 5.0 { evaluate(&SHOULDER, r - 1.6) } else { evaluate(&TAIL, r - 5.0) };
    if from_centre < 0.0 { -magnitude } else { magnitude }
}

fn evaluate((numerator, denominator): &Rational, x: f64) -> f64 {
    horner(numerator, x) / horner(denominator, x)
}

/// Multiplications and additions apart: a fused operation would round differently.
fn horner(coefficients: &[f64; 8], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |sum, coefficient| sum * x + coefficient)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values from another implementation of the quantile.
    #[test]
    fn quantiles_match_the_tables() {
        for (p, expected) in TABLE {
            let found = quantile(p);
            assert!((found - expected).abs() <= 4e-15 * expected.abs().max(1e-3), "{p}: {found} is not {expected}");
        }
        assert!((quantile(0.99) - QUANTILE_99).abs() < 4e-15);
    }

    const TABLE: [(f64, f64); 14] = [
        (0.5, 0.0),
        (0.25, -0.6744897501960817),
        (0.001, -3.090232306167813),
        (0.01, -2.3263478740408408),
        (0.075, -1.4395314709384557),
        (0.9, 1.2815515655446008),
        (0.925, 1.439531470938456),
        (0.975, 1.9599639845400536),
        (0.99, 2.3263478740408408),
        (0.999999, 4.753424308817089),
        (1e-09, -5.9978070150076865),
        (1e-12, -7.034483825301132),
        (1e-15, -7.941345326170995),
        (1.1102230246251565e-16, -8.209536151601386),
    ];
}
