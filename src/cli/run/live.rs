//! `run --watch`: the story as it happens.

use std::io::{self, Write as _};

use crate::report::LiveStory;
use crate::scenario::Run;
use crate::sim::Simulation;

/// Prints what is new.
pub(super) struct Live {
    story: Option<LiveStory>,
    /// Nobody reads any more.
    is_closed: bool,
}

impl Live {
    pub(super) fn new(watches: bool) -> Self {
        Self { story: watches.then(LiveStory::default), is_closed: false }
    }

    pub(super) fn look(&mut self, sim: &Simulation) {
        let Some(story) = &mut self.story else { return };
        let text = story.news(sim.recording());
        if !text.is_empty() && !self.is_closed {
            self.is_closed = print(&text).is_err();
        }
    }

    pub(super) fn finish(&mut self, run: &Run) {
        self.look(&run.simulation);
        if self.story.is_some() && !self.is_closed {
            self.is_closed = print("\n").is_err();
        }
    }
}

fn print(text: &str) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    out.write_all(text.as_bytes())?;
    out.flush()
}
