//! What stays of too many addresses (upstream `truncateEndpoints`).

use crate::objects::{EndpointAddress, EndpointSubset, SharedList};

use super::MAX_CAPACITY;

/// Cuts the subsets off in proportion, those that are not ready first; whether there was anything to cut.
pub(super) fn truncate(subsets: &mut [EndpointSubset]) -> bool {
    let ready: usize = subsets.iter().map(|subset| subset.addresses.len()).sum();
    let not_ready: usize = subsets.iter().map(|subset| subset.not_ready_addresses.len()).sum();
    if ready + not_ready <= MAX_CAPACITY {
        return false;
    }
    let cuts_ready = ready > MAX_CAPACITY;
    let (room, total) = if cuts_ready { (MAX_CAPACITY, ready) } else { (MAX_CAPACITY - ready, not_ready) };
    let mut left = room;
    for subset in subsets {
        if cuts_ready {
            subset.not_ready_addresses = SharedList::new();
        }
        let list = if cuts_ready { &mut subset.addresses } else { &mut subset.not_ready_addresses };
        let share = (list.len() * room).div_ceil(total.max(1)).min(left);
        keep(list, share);
        left -= list.len();
    }
    true
}

fn keep(list: &mut SharedList<EndpointAddress>, most: usize) {
    if list.len() > most {
        *list = list[..most].to_vec().into();
    }
}
