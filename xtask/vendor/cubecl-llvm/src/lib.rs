//! The names of cubecl-llvm that cubecl-cuda compiles against, without LLVM behind them.
//!
//! cubecl-cuda always builds both of its backends and picks one by a feature. We pick CUDA C++ through
//! NVRTC (`cubecl` with `cuda-cpp`), so nothing here runs; if it is reached, [`PlironCompiler::compile`]
//! answers with an error that says so.

use cubecl_core::prelude::KernelDefinition;
use cubecl_environment::backtrace::BackTrace;
use cubecl_runtime::{compiler::CompilationError, kernel::BufferIOAttr};

/// Targets of the LLVM backend that cubecl-cuda asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LlvmTarget {
    /// PTX for NVIDIA cards.
    #[default]
    Nvptx,
}

/// The compiler that is not here.
#[derive(Clone, Debug, Default)]
pub struct PlironCompiler {
    /// What it would compile for.
    pub target: LlvmTarget,
}

/// Options of the compiler; carried, never read.
#[derive(Clone, Debug, Default)]
pub struct PlironOptions {
    /// AMD architecture: always `None` under CUDA.
    pub arch: Option<String>,
    /// NVIDIA architecture.
    #[cfg(feature = "nvptx")]
    pub sm_arch: Option<cubecl_core::ir::nvidia::SmArch>,
    /// PTX version the driver loads: always `None` here.
    pub ptx_version: Option<nvptx::ptx_version::PtxVersion>,
    /// Whether scalars travel in the kernel's parameter block.
    pub grid_constants: bool,
}

/// A compiled PTX module. No function of this crate makes one.
#[derive(Clone, Debug)]
pub struct NvptxModule {
    /// PTX text with a closing NUL.
    pub ptx: Vec<core::ffi::c_char>,
    /// IR for logs.
    pub ir: String,
    /// Shared memory of a launch, in bytes.
    pub shared_memory_size: usize,
    /// How each buffer is used, in binding order.
    pub io: Vec<BufferIOAttr>,
}

/// What the compiler would hand back.
#[derive(Clone, Debug)]
pub enum PlironArtifact {
    /// PTX.
    NvptxCode(NvptxModule),
}

impl PlironCompiler {
    /// Refuses every kernel.
    ///
    /// # Errors
    /// Always [`CompilationError::Generic`].
    pub fn compile(
        &mut self,
        _: KernelDefinition,
        _: &PlironOptions,
    ) -> Result<PlironArtifact, CompilationError> {
        let reason = "built without LLVM: enable `cuda-cpp` of cubecl, which compiles through NVRTC";
        Err(CompilationError::Generic { reason: reason.to_string(), backtrace: BackTrace::capture() })
    }

    /// Suffix of what it would write.
    pub fn extension(&self) -> &'static str {
        "ll"
    }

    /// Language of what it would write.
    pub fn lang_tag(&self) -> &'static str {
        "llvm"
    }
}

/// NVIDIA's side.
pub mod nvptx {
    /// Versions of PTX.
    pub mod ptx_version {
        /// A PTX version; uninhabited, for only the LLVM backend writes PTX of a chosen version.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum PtxVersion {}

        impl PtxVersion {
            /// The newest version a driver loads: none is ever chosen here.
            pub fn for_driver(_driver: i32) -> Option<Self> {
                None
            }
        }

        impl core::fmt::Display for PtxVersion {
            fn fmt(&self, _: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                match *self {}
            }
        }
    }
}

/// What all targets share.
pub mod shared {
    /// Which features a device keeps under LLVM.
    pub mod lowered_features {
        use cubecl_core::ir::DeviceProperties;

        /// Target whose features would be narrowed.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum GpuTarget {
            /// PTX for NVIDIA cards.
            Nvptx,
        }

        /// Changes nothing. cubecl-cuda calls it for its LLVM backend only, which compiles no kernel here.
        pub fn restrict_features(_: &mut DeviceProperties, _: GpuTarget) {}
    }
}
