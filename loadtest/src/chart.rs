//! The picture of a scenario: CPU per request, and how long callers wait.
//!
//! Written as SVG by hand: two panels of bars and lines need no library, and no font but the reader's own. It brings its
//! own ground in two colours, so that it can be read on light and on dark pages, whatever stands around it.

use std::fmt::Write as _;

use crate::statistics::Spread;
use crate::summary::{SideSummary, Summary};

const WIDTH: f64 = 960.0;
const HEADER: f64 = 64.0;
const ROW: f64 = 34.0;
/// The left panel: names, bars, figures.
const NAMES: f64 = 24.0;
const BARS: f64 = 215.0;
const BARS_WIDTH: f64 = 170.0;
/// The right panel: four percentiles, evenly spaced.
const LINES: f64 = 540.0;
const LINES_WIDTH: f64 = 380.0;
const LINES_HEIGHT_MIN: f64 = 220.0;
const FOOTER: f64 = 56.0;

const PERCENTILES: [(&str, &str); 4] = [
    ("p50_us", "50 %"),
    ("p90_us", "90 %"),
    ("p99_us", "99 %"),
    ("p999_us", "99.9 %"),
];

/// Told apart by people who see few colours, on both grounds.
const COLOURS: [&str; 8] = [
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#b8860b", "#56b4e9", "#8a6fd1", "#7f7f7f",
];

const STYLE: &str = "
    .ground { fill: #ffffff; stroke: #d0d7de }
    text { fill: #1f2328; font: 13px system-ui, sans-serif }
    .title { font-weight: 600; font-size: 15px }
    .small { fill: #59636e; font-size: 11px }
    .grid { stroke: #d0d7de; stroke-width: 1 }
    .range { stroke: #1f2328; stroke-width: 1.5 }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #0d1117; stroke: #3d444d }
      text { fill: #f0f6fc }
      .small { fill: #9198a1 }
      .grid { stroke: #3d444d }
      .range { stroke: #f0f6fc }
    }
";

/// `title` and `note` are told above and below; `latency` says what the right panel shows.
pub(crate) fn svg(title: &str, note: &str, latency: &str, summary: &Summary) -> String {
    let rows = summary.sides.len() as f64;
    let inner = (rows * ROW).max(LINES_HEIGHT_MIN);
    let height = HEADER + inner + FOOTER;
    let mut out = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" \
         height=\"{height}\" role=\"img\">\n<title>{}</title>\n<style>{STYLE}</style>\n\
         <rect class=\"ground\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n",
        escaped(title),
        WIDTH - 1.0,
        height - 1.0
    );
    text(&mut out, NAMES, 26.0, "title", "start", title);
    text(
        &mut out,
        NAMES,
        48.0,
        "small",
        "start",
        "CPU per request, us: system over user; 95 % range of the median",
    );
    text(&mut out, LINES, 48.0, "small", "start", latency);
    bars(&mut out, summary);
    lines(&mut out, summary, inner);
    text(&mut out, NAMES, height - 14.0, "small", "start", note);
    out += "</svg>\n";
    out
}

fn bars(out: &mut String, summary: &Summary) {
    let cpu = |side: &SideSummary| side.figures.get("cpu_us").copied();
    let most = summary
        .sides
        .iter()
        .filter_map(cpu)
        .map(|spread| spread.range()[1].max(spread.median));
    let most = most.fold(f64::MIN_POSITIVE, f64::max);
    let place = |value: f64| BARS + BARS_WIDTH * value / most;
    for (number, side) in summary.sides.iter().enumerate() {
        let top = HEADER + number as f64 * ROW + 6.0;
        let colour = colour(number);
        text(out, NAMES, top + 15.0, "", "start", &side.side);
        let Some(total) = cpu(side) else { continue };
        let user = side
            .figures
            .get("cpu_user_us")
            .map_or(total.median, |spread| spread.median);
        let system = (total.median - user).max(0.0);
        rectangle(out, BARS, top, place(user.min(total.median)) - BARS, colour, 1.0);
        let from = place(total.median - system);
        rectangle(out, from, top, place(total.median) - from, colour, 0.55);
        let [low, high] = total.range();
        let middle = top + 10.0;
        line(out, "range", [place(low), middle, place(high), middle]);
        for end in [low, high] {
            line(out, "range", [place(end), middle - 4.0, place(end), middle + 4.0]);
        }
        let label = format!("{:.1}", total.median);
        text(
            out,
            place(high.max(total.median)) + 8.0,
            top + 15.0,
            "",
            "start",
            &label,
        );
    }
}

fn lines(out: &mut String, summary: &Summary, height: f64) {
    let values = |side: &SideSummary| -> Vec<f64> {
        let spreads = PERCENTILES
            .iter()
            .filter_map(|(figure, _)| side.figures.get(figure));
        spreads.map(|spread: &Spread| spread.median.max(1.0)).collect()
    };
    let all: Vec<f64> = summary.sides.iter().flat_map(values).collect();
    let (low, high) = decades(&all);
    let bottom = HEADER + height - 20.0;
    let span = height - 34.0;
    let down = |value: f64| bottom - span * (value.log10() - low) / (high - low);
    let across = |number: usize| LINES + 10.0 + (LINES_WIDTH - 20.0) * number as f64 / 3.0;
    for (value, name) in ticks(low, high) {
        line(
            out,
            "grid",
            [LINES, down(value), LINES + LINES_WIDTH, down(value)],
        );
        text(out, LINES - 6.0, down(value) + 4.0, "small", "end", &name);
    }
    for (number, (_, name)) in PERCENTILES.iter().enumerate() {
        text(out, across(number), bottom + 18.0, "small", "middle", name);
    }
    for (number, side) in summary.sides.iter().enumerate() {
        let points: Vec<(f64, f64)> = values(side)
            .into_iter()
            .enumerate()
            .map(|(place, value)| (across(place), down(value)))
            .collect();
        let colour = colour(number);
        let path: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let dashes = dashes(number);
        let _ = writeln!(
            out,
            "<polyline fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\" stroke-dasharray=\"{dashes}\" points=\"{}\"><title>{}</title></polyline>",
            path.join(" "),
            escaped(&side.side)
        );
        for (x, y) in points {
            let _ = writeln!(
                out,
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.5\" fill=\"{colour}\"/>"
            );
        }
    }
}

/// The bounds of a logarithmic axis: whole thirds of a decade around all values.
fn decades(values: &[f64]) -> (f64, f64) {
    let logs = values
        .iter()
        .map(|value| value.log10())
        .filter(|log| log.is_finite());
    let (low, high) = logs.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), log| {
        (low.min(log), high.max(log))
    });
    if low > high {
        return (0.0, 1.0);
    }
    let (low, high) = ((low * 3.0).floor() / 3.0, (high * 3.0).ceil() / 3.0);
    (low, high.max(low + 1.0 / 3.0))
}

/// 1, 2 and 5 of each decade, in microseconds, with their names.
fn ticks(low: f64, high: f64) -> Vec<(f64, String)> {
    let steps = (0..=8).flat_map(|decade| [1.0, 2.0, 5.0].map(|step| step * 10_f64.powi(decade)));
    let inside = steps.filter(|value| (low - 1e-9..=high + 1e-9).contains(&value.log10()));
    inside
        .map(|value| match value {
            us if us < 1e3 => (us, format!("{us} us")),
            us if us < 1e6 => (us, format!("{} ms", us / 1e3)),
            us => (us, format!("{} s", us / 1e6)),
        })
        .collect()
}

fn colour(number: usize) -> &'static str {
    COLOURS.get(number % COLOURS.len()).copied().unwrap_or("#7f7f7f")
}

/// The second eight sides are told from the first by their dashes.
fn dashes(number: usize) -> &'static str {
    if number < COLOURS.len() { "none" } else { "6 4" }
}

fn text(out: &mut String, x: f64, y: f64, class: &str, anchor: &str, content: &str) {
    let content = escaped(content);
    let _ = writeln!(
        out,
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{content}</text>"
    );
}

fn rectangle(out: &mut String, x: f64, y: f64, width: f64, colour: &str, opacity: f64) {
    let _ = writeln!(
        out,
        "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{:.1}\" height=\"20\" fill=\"{colour}\" fill-opacity=\"{opacity}\"/>",
        width.max(0.0)
    );
}

fn line(out: &mut String, class: &str, [x1, y1, x2, y2]: [f64; 4]) {
    let _ = writeln!(
        out,
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::{decades, svg, ticks};
    use crate::round::Row;
    use crate::summary::Summary;
    use crate::summary::tests::row;

    #[test]
    fn a_picture_is_well_formed_and_names_every_side() {
        let names: Vec<String> = (0..10)
            .map(|number| format!("side <{number}> & \"more\""))
            .collect();
        for count in [0, 1, 2, 10] {
            let rows: Vec<Row> = (1..=3)
                .flat_map(|round| {
                    names
                        .iter()
                        .take(count)
                        .map(move |name| row(round, name, 20.0 + f64::from(round)))
                })
                .collect();
            let picture = svg("a & b", "<note>", "latency", &Summary::of(&rows, &[], true));
            let document = roxmltree::Document::parse(&picture).unwrap();
            let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
            for name in names.iter().take(count) {
                assert!(texts.contains(&name.as_str()), "{name} of {count}");
            }
            assert!(
                !picture.contains("NaN") && !picture.contains("inf"),
                "{count} sides"
            );
        }
    }

    #[test]
    fn the_axis_encloses_its_values() {
        for values in [&[1500.0, 4000.0, 90_000.0][..], &[100.0], &[]] {
            let (low, high) = decades(values);
            assert!(low < high);
            assert!(
                values.iter().all(|value| (low..=high).contains(&value.log10())),
                "{values:?}"
            );
            assert!(!ticks(low, high).is_empty(), "{values:?}");
        }
    }
}
