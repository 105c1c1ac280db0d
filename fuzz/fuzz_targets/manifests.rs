//! The manifest reader: no panic, no hang, errors inside the text, documents that read back equal as JSON.
#![no_main]

use libfuzzer_sys::fuzz_target;
use seatrial::objects::reader::{ReaderLimits, read_manifests};

fuzz_target!(|text: &str| {
    let limits = ReaderLimits::default();
    match read_manifests("fuzz.yaml", text, &limits) {
        Ok(documents) => {
            for document in documents {
                assert!(document.locate("spec.containers[0].name").is_some());
                assert!(document.locate("metadata.name").is_some());
                let again = read_manifests("again.json", &document.value.to_string(), &limits)
                    .unwrap_or_else(|errors| panic!("{}: {}", errors[0], document.value));
                // Items of an object that is a list itself are taken apart again.
                if let [again] = &again[..] {
                    assert_eq!(again.value, document.value);
                }
            }
        }
        Err(errors) => {
            assert!(!errors.is_empty() && errors.len() <= limits.max_errors);
            assert!(errors.is_sorted_by_key(|error| (error.line, error.column)));
            assert!(
                errors.iter().all(|error| error.line > 0 && error.column > 0 && error.line as usize <= text.len() + 1)
            );
        }
    }
});
