//! When a field is left out of the wire form: Go's `omitempty`.

use std::sync::Arc;

use super::SharedList;

/// An absent number is 0.
pub(super) fn zero<N: Default + PartialEq>(number: &N) -> bool {
    *number == N::default()
}

/// An absent flag is false.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
pub(super) const fn no(flag: &bool) -> bool {
    !*flag
}

/// An absent text is empty.
pub(super) fn empty(text: &Arc<str>) -> bool {
    text.is_empty()
}

/// An absent list is empty.
pub(super) fn none<T>(list: &SharedList<T>) -> bool {
    list.is_empty()
}
