//! Which vector instructions this machine has, and one body of code compiled for each of them.
//!
//! Rust never contracts `a * b + c`, so a body gives the same bits whatever it is compiled for.

/// The instructions that the engine knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Isa {
    /// AVX-512 F, BW, DQ, VL and VNNI.
    Avx512,
    /// AVX2 and FMA.
    Avx2,
    /// What the target has without asking: SSE2, NEON, SIMD128 or nothing.
    Portable,
}

impl Isa {
    /// The best that this machine has.
    pub fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let avx512 = is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512vnni");
            let avx2 = is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
            if avx512 && avx2 {
                return Self::Avx512;
            }
            if avx2 {
                return Self::Avx2;
            }
        }
        Self::Portable
    }

    /// Whether this machine can run it.
    pub fn is_available(self) -> bool {
        match Self::detect() {
            Self::Avx512 => true,
            Self::Avx2 => self != Self::Avx512,
            Self::Portable => self == Self::Portable,
        }
    }

    /// Whether its integer product takes a left side of 8 bits; else of 7 (see [`super::quantize`]).
    pub fn multiplies_bytes(self) -> bool {
        match self {
            Self::Avx512 => true,
            Self::Avx2 => false,
            Self::Portable => cfg!(not(all(target_arch = "wasm32", target_feature = "relaxed-simd"))),
        }
    }

    /// All that this machine can run, the best first.
    pub fn available() -> Vec<Self> {
        [Self::Avx512, Self::Avx2, Self::Portable].into_iter().filter(|isa| isa.is_available()).collect()
    }
}

/// Compiles an `#[inline(always)]` body for every [`Isa`]; the function made takes the [`Isa`] first, which must
/// be one that the machine has (every `Isa` that the engine passes comes from [`Isa::detect`] or was asserted).
macro_rules! for_each_isa {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($($arg:ident: $type:ty),* $(,)?) $(-> $ret:ty)? = $body:path) => {
        $(#[$meta])*
        $vis fn $name(isa: $crate::cpu::isa::Isa, $($arg: $type),*) $(-> $ret)? {
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
                fn wide($($arg: $type),*) $(-> $ret)? {
                    $body($($arg),*)
                }
                #[target_feature(enable = "avx2")]
                fn narrow($($arg: $type),*) $(-> $ret)? {
                    $body($($arg),*)
                }
                match isa {
                    // SAFETY: the caller's `Isa` is one that the machine has.
                    $crate::cpu::isa::Isa::Avx512 => return unsafe { wide($($arg),*) },
                    // SAFETY: as above.
                    $crate::cpu::isa::Isa::Avx2 => return unsafe { narrow($($arg),*) },
                    $crate::cpu::isa::Isa::Portable => {}
                }
            }
            #[cfg(not(target_arch = "x86_64"))]
            let _ = isa;
            $body($($arg),*)
        }
    };
}
pub(crate) use for_each_isa;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_among_the_available_and_the_portable_always_is() {
        let available = Isa::available();
        assert_eq!(available[0], Isa::detect());
        assert_eq!(available.last(), Some(&Isa::Portable));
    }
}
