//! What fits into memory: tokens of a micro-batch by the model's shape (`--micro-batch auto`), states of a
//! frozen encoder by what the machine has left.

use bert_xml_core::model::EncoderConfig;

use super::settings::MicroBatch;
use crate::device::DeviceChoice;

/// Bytes of activations that a training step on the CPU may hold. More does not make it faster.
const CPU_BYTES: u64 = 2 << 30;
/// On a graphics card: what the smallest card for this work (16 GiB) has beside weights and moments.
const GPU_BYTES: u64 = 8 << 30;
/// A micro-batch on the CPU stays below this, so that its matrices stay in the caches.
const CPU_TOKENS: usize = 8192;

/// States of a frozen encoder where the machine does not say what it has left.
const UNKNOWN_BYTES: u64 = 6 << 30;

/// Bytes that this process may still take: what the machine has free or can free, and within it what a
/// container is allowed. None where the system does not say.
pub fn available_bytes() -> Option<u64> {
    let mut system = sysinfo::System::new();
    system.refresh_memory();
    let machine = Some(system.available_memory()).filter(|&bytes| bytes > 0)?;
    // Its pages of files can be dropped: what is resident for good counts.
    let container =
        system.cgroup_limits().map_or(machine, |limits| limits.total_memory.saturating_sub(limits.rss));
    Some(machine.min(container))
}

/// Memory that this process holds now, that of a graphics card not counted; pages of mapped files are, while they are
/// in memory. None where the system does not say.
pub fn resident_bytes() -> Option<u64> {
    use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

    let (mut system, own) = (System::new(), Pid::from_u32(std::process::id()));
    let what = ProcessRefreshKind::nothing().with_memory().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[own]), false, what);
    system.process(own).map(sysinfo::Process::memory).filter(|&bytes| bytes > 0)
}

/// The most memory that this process has held at once, that of a graphics card not counted. None where the
/// system does not say.
pub fn peak_resident_bytes() -> Option<u64> {
    #[cfg(unix)]
    {
        // SAFETY: all zeros are a valid `rusage`, which the call fills in.
        let (status, usage) = unsafe {
            let mut usage: libc::rusage = std::mem::zeroed();
            (libc::getrusage(libc::RUSAGE_SELF, &raw mut usage), usage)
        };
        // macOS counts bytes, all others KiB.
        let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
        (status == 0).then(|| u64::try_from(usage.ru_maxrss).unwrap_or(0) * unit)
    }
    #[cfg(not(unix))]
    None
}

/// Whether `needed` bytes of states may be kept when `available` bytes are left: a tenth stays free for the
/// machine, and training itself takes up to 2 GiB of activations.
pub fn states_fit(needed: u64, available: Option<u64>) -> bool {
    match available {
        Some(bytes) => needed <= (bytes - bytes / 10).saturating_sub(CPU_BYTES),
        None => needed <= UNKNOWN_BYTES,
    }
}

/// Bytes of activations that the backward pass of the encoder keeps for one token of a row of `seq` tokens.
///
/// A block keeps about 14 vectors of `hidden_size` (input, query, key, value, context, output, two residual
/// sums, two norms with their parts, masks of two dropouts), 4 of `intermediate_size` (before and after the
/// GELU, and its parts) and, of attention, 5 values a head and token of the row (scores, masked scores,
/// softmax, dropout's mask and product). With bf16 the scores lie twice, once in half the bytes: it is as much. With
/// gradient checkpointing one block is there at a time, and the input of every other.
pub fn bytes_a_token(config: &EncoderConfig, seq: usize, checkpointing: bool) -> u64 {
    let hidden = 14 * config.hidden_size + 4 * config.intermediate_size;
    let attention = 5 * config.num_attention_heads * seq;
    let (block, blocks) = (hidden + attention, config.num_hidden_layers);
    4 * (if checkpointing { block + blocks * config.hidden_size } else { blocks * block }) as u64
}

/// Tokens of a micro-batch, padding included.
pub fn token_budget(
    choice: MicroBatch,
    device: DeviceChoice,
    config: &EncoderConfig,
    seq: usize,
    checkpointing: bool,
) -> usize {
    match choice {
        MicroBatch::Tokens(tokens) => tokens,
        MicroBatch::Auto => {
            let cpu = device == DeviceChoice::Cpu;
            let bytes = if cpu { CPU_BYTES } else { GPU_BYTES };
            let fits = (bytes / bytes_a_token(config, seq, checkpointing).max(1)).max(1);
            let fits = usize::try_from(fits).unwrap_or(usize::MAX);
            if cpu { fits.min(CPU_TOKENS) } else { fits }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bert_xml_core::model::Size;

    #[test]
    fn longer_rows_and_larger_models_leave_less_room() {
        let auto = |device, size, seq, checkpointing| {
            token_budget(MicroBatch::Auto, device, &EncoderConfig::of_size(size), seq, checkpointing)
        };
        let budget = |size, seq| auto(DeviceChoice::Cpu, size, seq, false);
        assert!(budget(Size::Big, 1024) < budget(Size::Small, 1024));
        assert!(budget(Size::Small, 1024) < budget(Size::Small, 128));
        // big at 1,024: 12 · (14 · 768 + 4 · 3,072 + 5 · 12 · 1,024) · 4 bytes a token.
        assert_eq!(bytes_a_token(&EncoderConfig::of_size(Size::Big), 1024, false), 4_055_040);
        // One block and twelve inputs: (14 · 768 + 4 · 3,072 + 5 · 12 · 1,024 + 12 · 768) · 4.
        assert_eq!(bytes_a_token(&EncoderConfig::of_size(Size::Big), 1024, true), 374_784);
        let card = |checkpointing| auto(DeviceChoice::Cuda(0), Size::Big, 1024, checkpointing);
        assert!(card(true) > 10 * card(false));
        let config = EncoderConfig::of_size(Size::Big);
        assert_eq!(token_budget(MicroBatch::Tokens(64), DeviceChoice::Cpu, &config, 1024, false), 64);
    }
    #[cfg(unix)]
    #[test]
    fn the_peak_is_that_of_all_there_was() {
        let kept = vec![1u8; 64 << 20];
        assert!(kept.iter().all(|&byte| byte == 1));
        let now = resident_bytes().unwrap();
        drop(kept);
        let peak = peak_resident_bytes().unwrap();
        assert!(
            (64 << 20..64 << 30).contains(&peak) && (64 << 20..=peak).contains(&now),
            "{now}, {peak} bytes"
        );
    }

    #[test]
    fn states_are_kept_where_a_step_still_fits_beside_them() {
        let gib = |count: u64| count << 30;
        // Of 20 GiB, 2 stay free and 2 are for activations.
        assert!(states_fit(gib(16), Some(gib(20))) && !states_fit(gib(16) + 1, Some(gib(20))));
        assert!(!states_fit(1, Some(gib(2))) && !states_fit(1, Some(0)) && states_fit(0, Some(0)));
        assert!(states_fit(gib(6), None) && !states_fit(gib(6) + 1, None));
        assert!(available_bytes().is_none_or(|bytes| bytes > 0), "no room even for this test");
    }
}
