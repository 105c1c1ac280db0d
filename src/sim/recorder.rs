//! The recording: every accepted write, with its instant.

use std::io;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::api::Change;
use crate::kernel::SimTime;
use crate::network::{Cause, Window};

/// How much of a run is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecordMode {
    /// Nothing.
    #[default]
    Off,
    /// A digest of the event log's bytes.
    Digest,
    /// Everything.
    Full,
}

/// One entry of the recording.
#[derive(Clone, Debug)]
pub enum Record {
    /// An accepted write.
    Change(SimTime, Change),
    /// Something the user did.
    Step(SimTime, StepRecord),
    /// A window of a client's traffic has ended.
    Traffic(SimTime, Box<TrafficRecord>),
}

/// What came of a client's traffic in a window of time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficRecord {
    /// Name of the client.
    pub client: Arc<str>,
    /// The window.
    pub window: Window,
}

impl TrafficRecord {
    /// The record as JSON: counts, latencies in seconds, failures by cause.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let Window { start, tally, p50, p95, p99, max, detail: _ } = &self.window;
        let failed = Cause::ALL.into_iter().filter(|cause| *cause != Cause::Served);
        let causes = failed.map(|cause| (cause.as_str().to_owned(), tally.causes[cause as usize]));
        let causes: Map<String, Value> =
            causes.filter(|(_, count)| *count > 0).map(|(cause, count)| (cause, json!(count))).collect();
        json!({
            "client": self.client,
            "start": start.as_secs_f64(),
            "requests": tally.requests,
            "succeeded": tally.succeeded,
            "lost": tally.lost,
            "retries": tally.retries,
            "failures": causes,
            "p50": p50.as_secs_f64(),
            "p95": p95.as_secs_f64(),
            "p99": p99.as_secs_f64(),
            "max": max.as_secs_f64(),
        })
    }
}

/// Something the user did, and what came of it.
#[derive(Clone, Debug, PartialEq)]
pub struct StepRecord {
    /// Verb, such as `setImage`.
    pub name: String,
    /// Its arguments.
    pub args: Value,
    /// What the API answered.
    pub result: Value,
}

impl Record {
    /// When.
    #[must_use]
    pub const fn time(&self) -> SimTime {
        match self {
            Self::Change(at, _) | Self::Step(at, _) | Self::Traffic(at, _) => *at,
        }
    }

    /// The entry as one line of the event log, without the line end: a Kubernetes watch event with a virtual
    /// timestamp in seconds.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut line = String::from("{\"t\":");
        push_seconds(&mut line, self.time());
        match self {
            Self::Change(_, change) => {
                line.push_str(",\"type\":\"");
                line.push_str(change.change_type.as_str());
                line.push_str("\",\"object\":");
                push_sorted(&mut line, &change.object.to_wire());
            }
            Self::Step(_, step) => {
                line.push_str(",\"type\":\"STEP\",\"name\":");
                push_sorted(&mut line, &json!(step.name));
                line.push_str(",\"args\":");
                push_sorted(&mut line, &step.args);
                line.push_str(",\"result\":");
                push_sorted(&mut line, &step.result);
            }
            Self::Traffic(_, traffic) => {
                line.push_str(",\"type\":\"TRAFFIC\",\"window\":");
                push_sorted(&mut line, &traffic.to_json());
            }
        }
        line.push('}');
        line
    }
}

/// Seconds with up to nine decimals, exact.
fn push_seconds(line: &mut String, at: SimTime) {
    let (secs, nanos) = (at.as_nanos() / 1_000_000_000, at.as_nanos() % 1_000_000_000);
    line.push_str(&secs.to_string());
    if nanos != 0 {
        let decimals = format!(".{nanos:09}");
        line.push_str(decimals.trim_end_matches('0'));
    }
}

/// JSON with sorted keys, whatever map type `serde_json` was built with.
fn push_sorted(line: &mut String, value: &Value) {
    match value {
        Value::Object(map) => push_sorted_map(line, map),
        Value::Array(items) => {
            line.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    line.push(',');
                }
                push_sorted(line, item);
            }
            line.push(']');
        }
        scalar => line.push_str(&scalar.to_string()),
    }
}

fn push_sorted_map(line: &mut String, map: &Map<String, Value>) {
    let mut entries: Vec<_> = map.iter().collect();
    entries.sort_unstable_by_key(|(key, _)| *key);
    line.push('{');
    for (at, (key, value)) in entries.into_iter().enumerate() {
        if at > 0 {
            line.push(',');
        }
        line.push_str(&Value::from(key.as_str()).to_string());
        line.push(':');
        push_sorted(line, value);
    }
    line.push('}');
}

/// A digest of bytes that is the same on every platform: FNV-1a with 128 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(u128);

impl Default for Digest {
    fn default() -> Self {
        Self(0x6c62_272e_07bb_0142_62b8_2175_6295_c58d)
    }
}

impl Digest {
    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013b);
        }
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// What a run left behind.
#[derive(Clone, Debug, Default)]
pub struct Recording {
    mode: RecordMode,
    records: Vec<Record>,
    digest: Digest,
}

impl Recording {
    pub(super) fn new(mode: RecordMode) -> Self {
        Self { mode, ..Self::default() }
    }

    pub(super) const fn is_off(&self) -> bool {
        matches!(self.mode, RecordMode::Off)
    }

    pub(super) fn push(&mut self, record: Record) {
        match self.mode {
            RecordMode::Off => {}
            RecordMode::Digest => {
                self.digest.update(record.to_json().as_bytes());
                self.digest.update(b"\n");
            }
            RecordMode::Full => self.records.push(record),
        }
    }

    /// The entries, in order. Empty unless the mode is [`RecordMode::Full`].
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }

    /// Digest of the event log's bytes; of no bytes if the recorder is off.
    #[must_use]
    pub fn digest(&self) -> Digest {
        let mut digest = self.digest;
        for record in &self.records {
            digest.update(record.to_json().as_bytes());
            digest.update(b"\n");
        }
        digest
    }

    /// Writes the event log: one JSON object a line.
    ///
    /// # Errors
    /// If the writer fails.
    pub fn write_jsonl(&self, mut out: impl io::Write) -> io::Result<()> {
        for record in &self.records {
            out.write_all(record.to_json().as_bytes())?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_are_exact_and_short() {
        let text = |nanos| {
            let mut line = String::new();
            push_seconds(&mut line, SimTime::from_nanos(nanos));
            line
        };
        assert_eq!(text(0), "0");
        assert_eq!(text(1_500_000_000), "1.5");
        assert_eq!(text(8_000_000_001), "8.000000001");
    }

    #[test]
    fn a_digest_of_the_log_equals_the_digest_kept_on_the_way() {
        let step = StepRecord { name: "scale".into(), args: json!({"b": 1, "a": [null, "x"]}), result: json!({}) };
        let record = Record::Step(SimTime::from_secs(1), step);
        assert_eq!(
            record.to_json(),
            r#"{"t":1,"type":"STEP","name":"scale","args":{"a":[null,"x"],"b":1},"result":{}}"#
        );
        let (mut full, mut digest) = (Recording::new(RecordMode::Full), Recording::new(RecordMode::Digest));
        full.push(record.clone());
        digest.push(record);
        assert_eq!(full.digest(), digest.digest());
        assert_ne!(full.digest(), Digest::default());
    }
}
