//! Windows' bug checks by their names: what a host learns of a Windows guest's crash is only the code.

/// The name of a bug check, from its code as it is written: `0x5a`, `0x0000009f`, `3b`.
pub(crate) fn name_of(code: &str) -> Option<&'static str> {
    let digits = code.strip_prefix("0x").or_else(|| code.strip_prefix("0X")).unwrap_or(code);
    let code = u32::from_str_radix(digits, 16).ok()?;
    NAMES
        .binary_search_by_key(&code, |(code, _)| *code)
        .ok()
        .and_then(|at| NAMES.get(at))
        .map(|(_, name)| *name)
}

/// By code.
const NAMES: &[(u32, &str)] = &[
    (0x01, "APC_INDEX_MISMATCH"),
    (0x0a, "IRQL_NOT_LESS_OR_EQUAL"),
    (0x12, "TRAP_CAUSE_UNKNOWN"),
    (0x18, "REFERENCE_BY_POINTER"),
    (0x19, "BAD_POOL_HEADER"),
    (0x1a, "MEMORY_MANAGEMENT"),
    (0x1e, "KMODE_EXCEPTION_NOT_HANDLED"),
    (0x20, "KERNEL_APC_PENDING_DURING_EXIT"),
    (0x24, "NTFS_FILE_SYSTEM"),
    (0x27, "RDR_FILE_SYSTEM"),
    (0x2e, "DATA_BUS_ERROR"),
    (0x3b, "SYSTEM_SERVICE_EXCEPTION"),
    (0x3d, "INTERRUPT_EXCEPTION_NOT_HANDLED"),
    (0x3f, "NO_MORE_SYSTEM_PTES"),
    (0x4d, "NO_PAGES_AVAILABLE"),
    (0x4e, "PFN_LIST_CORRUPT"),
    (0x50, "PAGE_FAULT_IN_NONPAGED_AREA"),
    (0x51, "REGISTRY_ERROR"),
    (0x5a, "CRITICAL_SERVICE_FAILED"),
    (0x5c, "HAL_INITIALIZATION_FAILED"),
    (0x74, "BAD_SYSTEM_CONFIG_INFO"),
    (0x76, "PROCESS_HAS_LOCKED_PAGES"),
    (0x77, "KERNEL_STACK_INPAGE_ERROR"),
    (0x78, "PHASE0_EXCEPTION"),
    (0x79, "MISMATCHED_HAL"),
    (0x7a, "KERNEL_DATA_INPAGE_ERROR"),
    (0x7b, "INACCESSIBLE_BOOT_DEVICE"),
    (0x7c, "BUGCODE_NDIS_DRIVER"),
    (0x7e, "SYSTEM_THREAD_EXCEPTION_NOT_HANDLED"),
    (0x7f, "UNEXPECTED_KERNEL_MODE_TRAP"),
    (0x80, "NMI_HARDWARE_FAILURE"),
    (0x8e, "KERNEL_MODE_EXCEPTION_NOT_HANDLED"),
    (0x92, "NEED_TO_REPLACE_THIS_MACHINE"),
    (0x93, "INVALID_KERNEL_HANDLE"),
    (0x96, "INVALID_WORK_QUEUE_ITEM"),
    (0x98, "END_OF_NT_EVALUATION_PERIOD"),
    (0x99, "INVALID_REGION_OR_SEGMENT"),
    (0x9c, "MACHINE_CHECK_EXCEPTION"),
    (0x9f, "DRIVER_POWER_STATE_FAILURE"),
    (0xa0, "INTERNAL_POWER_ERROR"),
    (0xa5, "ACPI_BIOS_ERROR"),
    (0xbe, "ATTEMPTED_WRITE_TO_READONLY_MEMORY"),
    (0xc1, "SPECIAL_POOL_DETECTED_MEMORY_CORRUPTION"),
    (0xc2, "BAD_POOL_CALLER"),
    (0xc4, "DRIVER_VERIFIER_DETECTED_VIOLATION"),
    (0xc5, "DRIVER_CORRUPTED_EXPOOL"),
    (0xca, "PNP_DETECTED_FATAL_ERROR"),
    (0xcb, "DRIVER_LEFT_LOCKED_PAGES_IN_PROCESS"),
    (0xce, "DRIVER_UNLOADED_WITHOUT_CANCELLING_PENDING_OPERATIONS"),
    (0xd1, "DRIVER_IRQL_NOT_LESS_OR_EQUAL"),
    (0xd5, "DRIVER_PAGE_FAULT_IN_FREED_SPECIAL_POOL"),
    (0xda, "SYSTEM_PTE_MISUSE"),
    (0xe2, "MANUALLY_INITIATED_CRASH"),
    (0xe6, "DRIVER_VERIFIER_DMA_VIOLATION"),
    (0xea, "THREAD_STUCK_IN_DEVICE_DRIVER"),
    (0xed, "UNMOUNTABLE_BOOT_VOLUME"),
    (0xef, "CRITICAL_PROCESS_DIED"),
    (0xf4, "CRITICAL_OBJECT_TERMINATION"),
    (0xf7, "DRIVER_OVERRAN_STACK_BUFFER"),
    (0xfc, "ATTEMPTED_EXECUTE_OF_NOEXECUTE_MEMORY"),
    (0xfe, "BUGCODE_USB_DRIVER"),
    (0x101, "CLOCK_WATCHDOG_TIMEOUT"),
    (0x109, "CRITICAL_STRUCTURE_CORRUPTION"),
    (0x10d, "WDF_VIOLATION"),
    (0x10e, "VIDEO_MEMORY_MANAGEMENT_INTERNAL"),
    (0x113, "VIDEO_DXGKRNL_FATAL_ERROR"),
    (0x116, "VIDEO_TDR_FAILURE"),
    (0x119, "VIDEO_SCHEDULER_INTERNAL_ERROR"),
    (0x11b, "DRIVER_RETURNED_HOLDING_CANCEL_LOCK"),
    (0x11d, "EVENT_TRACING_FATAL_ERROR"),
    (0x122, "WHEA_INTERNAL_ERROR"),
    (0x124, "WHEA_UNCORRECTABLE_ERROR"),
    (0x12b, "FAULTY_HARDWARE_CORRUPTED_PAGE"),
    (0x133, "DPC_WATCHDOG_VIOLATION"),
    (0x135, "REGISTRY_FILTER_DRIVER_EXCEPTION"),
    (0x139, "KERNEL_SECURITY_CHECK_FAILURE"),
    (0x13a, "KERNEL_MODE_HEAP_CORRUPTION"),
    (0x13c, "INVALID_IO_BOOST_STATE"),
    (0x144, "BUGCODE_USB3_DRIVER"),
    (0x14f, "PDC_WATCHDOG_TIMEOUT"),
    (0x154, "UNEXPECTED_STORE_EXCEPTION"),
    (0x15f, "CONNECTED_STANDBY_WATCHDOG_TIMEOUT_LIVEDUMP"),
    (0x162, "KERNEL_AUTO_BOOST_INVALID_LOCK_RELEASE"),
    (0x17e, "MICROCODE_REVISION_MISMATCH"),
    (0x18b, "SECURE_KERNEL_ERROR"),
    (0x192, "KERNEL_AUTO_BOOST_LOCK_ACQUISITION_WITH_RAISED_IRQL"),
    (0x19c, "WIN32K_POWER_WATCHDOG_TIMEOUT"),
    (0x1c8, "MANUALLY_INITIATED_POWER_BUTTON_HOLD"),
    (0x1ca, "SYNTHETIC_WATCHDOG_TIMEOUT"),
    (0x20001, "HYPERVISOR_ERROR"),
    (0xc000_021a, "WINLOGON_FATAL_ERROR"),
    (0xdead_dead, "MANUALLY_INITIATED_CRASH1"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_known_however_they_are_written() {
        for (code, name) in [
            ("0x5a", Some("CRITICAL_SERVICE_FAILED")),
            ("0x0000009f", Some("DRIVER_POWER_STATE_FAILURE")),
            ("3b", Some("SYSTEM_SERVICE_EXCEPTION")),
            ("0xDEADDEAD", Some("MANUALLY_INITIATED_CRASH1")),
            ("0x12345", None),
            ("", None),
        ] {
            assert_eq!(name_of(code), name, "{code}");
        }
    }

    #[test]
    fn codes_stand_in_their_order() {
        assert!(NAMES.is_sorted_by_key(|(code, _)| *code));
    }
}
