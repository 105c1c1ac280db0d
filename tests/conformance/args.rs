//! The arguments of libtest that matter here.

/// What to run.
#[derive(Default)]
pub(crate) struct Args {
    pub(crate) list: bool,
    exact: bool,
    filters: Vec<String>,
    skips: Vec<String>,
}

impl Args {
    pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Self {
        let mut args = Self::default();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            match &*argument {
                "--list" => args.list = true,
                "--exact" => args.exact = true,
                "--skip" => args.skips.extend(arguments.next()),
                // Options of libtest with a value that means nothing here.
                "--test-threads" | "--format" | "--color" | "--logfile" | "--shuffle-seed" | "-Z" => {
                    arguments.next();
                }
                option if option.starts_with('-') => {}
                filter => args.filters.push(filter.to_owned()),
            }
        }
        args
    }

    /// Whether the case of this name is to run.
    pub(crate) fn selects(&self, name: &str) -> bool {
        let fits = |filter: &String| if self.exact { name == filter } else { name.contains(&**filter) };
        (self.filters.is_empty() || self.filters.iter().any(fits)) && !self.skips.iter().any(fits)
    }
}
