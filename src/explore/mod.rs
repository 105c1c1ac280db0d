//! Many seeds, shrinking, shards. Not there yet.
