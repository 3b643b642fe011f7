//! The metrics page, taken apart: samples with their labels.
//!
//! Only what the text format (Prometheus 0.0.4) needs here: labels without escapes, since configured names have none.

/// One scrape.
#[derive(Debug, Clone)]
pub(crate) struct Metrics {
    /// The page as it came.
    pub(crate) text: String,
    samples: Vec<Sample>,
}

#[derive(Debug, Clone)]
struct Sample {
    name: String,
    labels: Vec<(String, String)>,
    value: f64,
}

// === impl Metrics ===

impl Metrics {
    pub(super) fn parse(text: &str) -> Self {
        let lines = text
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'));
        Self {
            text: text.to_owned(),
            samples: lines.map(Sample::parse).collect(),
        }
    }

    /// The sum of the samples of this name that have these labels, among others; 0 if there are none.
    pub(crate) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let has = |sample: &&Sample| {
            labels.iter().all(|(label, value)| {
                let mut own = sample.labels.iter();
                own.any(|(own, own_value)| own == label && own_value == value)
            })
        };
        let named = self.samples.iter().filter(|sample| sample.name == name);
        named.filter(has).map(|sample| sample.value).sum()
    }

    /// Every value of a label, sorted, each once.
    pub(crate) fn label_values(&self, label: &str) -> Vec<String> {
        let labels = self.samples.iter().flat_map(|sample| &sample.labels);
        let mut values: Vec<String> = labels
            .filter(|(own, _)| own == label)
            .map(|(_, value)| value.clone())
            .collect();
        values.sort();
        values.dedup();
        values
    }
}

// === impl Sample ===

impl Sample {
    fn parse(line: &str) -> Self {
        let (series, value) = line.rsplit_once(' ').expect("a sample has a value");
        let (name, labels) = series
            .strip_suffix('}')
            .and_then(|series| series.split_once('{'))
            .unwrap_or((series, ""));
        let labels = labels
            .split("\",")
            .filter_map(|label| label.split_once("=\""))
            .map(|(name, value)| (name.to_owned(), value.trim_end_matches('"').to_owned()));
        Self {
            name: name.to_owned(),
            labels: labels.collect(),
            value: value.parse().unwrap(),
        }
    }
}
