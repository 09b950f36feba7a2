//! Sorting of short lists, by one sort for all of them.
//!
//! The standard library's is compiled once for each type and key, some kilobytes each time, which is a fortieth of this program.
//! Here places are sorted, by a comparison that is called through a pointer; what is sorted for its speed uses the library's.

use std::cmp::Ordering;

/// Sorts by a key, as [`slice::sort_by_key`] does: what is equal keeps its order.
pub fn sort_by_key<T, K: Ord>(items: &mut [T], mut key: impl FnMut(&T) -> K) {
    sort_by(items, |a, b| key(a).cmp(&key(b)));
}

/// Sorts by a comparison, as [`slice::sort_by`] does: what is equal keeps its order.
pub fn sort_by<T>(items: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    let mut order = places(items.len(), &mut |a, b| compare(&items[a], &items[b]));
    for start in 0..items.len() {
        let mut place = start;
        loop {
            let next = std::mem::replace(&mut order[place], place);
            if next == start {
                break;
            }
            items.swap(place, next);
            place = next;
        }
    }
}

/// The places of the items in the order in which they come.
fn places(length: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut order: Vec<usize> = (0..length).collect();
    order.sort_by(|a, b| compare(*a, *b));
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn as_the_library_sorts(keys in proptest::collection::vec(0..20_u8, 0..100)) {
            let mut ours: Vec<(u8, usize)> = keys.into_iter().zip(0..).collect();
            let mut theirs = ours.clone();
            sort_by_key(&mut ours, |(key, _)| *key);
            theirs.sort_by_key(|(key, _)| *key);
            prop_assert_eq!(ours, theirs);
        }
    }
}
