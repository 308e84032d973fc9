//! A small writer of SVG: shapes and text, nothing that a browser or `rsvg-convert` would not draw alike.

use std::fmt::Write;

/// Where a text stands relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anchor {
    /// To the right of it.
    Start,
    /// Around it.
    Middle,
    /// To the left of it.
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Style {
    /// Height in pixels.
    pub size: f64,
    /// Colour.
    pub fill: &'static str,
    /// Bold.
    pub bold: bool,
    /// Place relative to the point.
    pub anchor: Anchor,
}

/// A drawing under way.
#[derive(Clone, Debug, Default)]
pub struct Canvas {
    body: String,
}

impl Canvas {
    /// A filled rectangle.
    pub fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: &str) {
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(
            self.body,
            r#"<rect x="{x:.2}" y="{y:.2}" width="{width:.2}" height="{height:.2}" fill="{fill}"/>"#
        );
    }

    /// A rectangle with a border, its corners a little round.
    pub fn frame(&mut self, x: f64, y: f64, width: f64, height: f64, fill: &str, stroke: &str) {
        let _ = writeln!(
            self.body,
            r#"<rect x="{x:.2}" y="{y:.2}" width="{width:.2}" height="{height:.2}" rx="3" fill="{fill}" stroke="{stroke}"/>"#
        );
    }

    /// A line; `dash` as in `stroke-dasharray`, empty for a whole one.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: &str, width: f64, dash: &str) {
        let dash = if dash.is_empty() { String::new() } else { format!(r#" stroke-dasharray="{dash}""#) };
        let _ = writeln!(
            self.body,
            r#"<line x1="{:.2}" y1="{:.2}" x2="{:.2}" y2="{:.2}" stroke="{stroke}" stroke-width="{width}"{dash}/>"#,
            from.0, from.1, to.0, to.1
        );
    }

    /// A text.
    pub fn text(&mut self, x: f64, y: f64, text: &str, style: Style) {
        let anchor = match style.anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let weight = if style.bold { r#" font-weight="bold""# } else { "" };
        let _ = writeln!(
            self.body,
            r#"<text x="{x:.2}" y="{y:.2}" font-size="{}" fill="{}" text-anchor="{anchor}"{weight}>{}</text>"#,
            style.size,
            style.fill,
            escape(text)
        );
    }

    /// Puts another drawing `down` pixels lower into this one.
    pub fn place(&mut self, other: &Self, down: f64) {
        let _ = writeln!(self.body, r#"<g transform="translate(0 {down:.2})">"#);
        self.body.push_str(&other.body);
        self.body.push_str("</g>\n");
    }

    /// The finished file.
    pub fn finish(&self, width: f64, height: f64) -> String {
        format!(
            concat!(
                r#"<svg xmlns="http://www.w3.org/2000/svg" width="{w:.0}" height="{h:.0}" viewBox="0 0 {w:.0} {h:.0}" "#,
                r#"font-family="DejaVu Sans, Verdana, Helvetica, Arial, sans-serif">"#,
                "\n{pattern}\n",
                r##"<rect width="100%" height="100%" fill="#ffffff"/>"##,
                "\n{body}</svg>\n"
            ),
            w = width,
            h = height,
            pattern = concat!(
                r##"<defs><pattern id="off" width="6" height="6" patternUnits="userSpaceOnUse" "##,
                r##"patternTransform="rotate(45)"><rect width="6" height="6" fill="#e5e7eb"/>"##,
                r##"<rect width="2" height="6" fill="#9ca3af"/></pattern></defs>"##
            ),
            body = self.body
        )
    }
}

/// Text with the characters that XML reserves written out.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            other if other.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_characters_are_written_out() {
        assert_eq!(escape("a < b & \"c\"\n>"), "a &lt; b &amp; &quot;c&quot; &gt;");
    }
}
