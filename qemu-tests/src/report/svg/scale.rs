//! Milliseconds to pixels, and where the axis gets its marks. Pure.

/// A stretch of time on a stretch of pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    /// First millisecond shown.
    pub from_ms: f64,
    /// Last millisecond shown.
    pub to_ms: f64,
    left: f64,
    width: f64,
}

impl Scale {
    /// Shows `from_ms..to_ms` on `width` pixels from `left`. An empty stretch of time is made one millisecond long.
    pub fn new(from_ms: f64, to_ms: f64, left: f64, width: f64) -> Self {
        Self { from_ms, to_ms: to_ms.max(from_ms + 1.0), left, width }
    }

    /// The pixel of a moment, held inside the picture.
    pub fn x(&self, at_ms: f64) -> f64 {
        let at = at_ms.clamp(self.from_ms, self.to_ms);
        self.left + (at - self.from_ms) / (self.to_ms - self.from_ms) * self.width
    }

    /// Whether a moment is shown.
    pub fn shows(&self, at_ms: f64) -> bool {
        (self.from_ms..=self.to_ms).contains(&at_ms)
    }

    /// Round marks, some ten of them.
    pub fn marks(&self) -> Vec<f64> {
        let span = self.to_ms - self.from_ms;
        let magnitude = 10_f64.powf((span / 10.0).log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * magnitude);
        let step = steps.into_iter().find(|step| span / step <= 12.0).unwrap_or(magnitude * 10.0);
        let mut marks = Vec::new();
        let mut mark = (self.from_ms / step).ceil() * step;
        while mark <= self.to_ms + step * 1e-9 {
            // Adding up steps must not turn a zero into -0.
            marks.push(if mark.abs() < step * 1e-9 { 0.0 } else { mark });
            mark += step;
        }
        marks
    }
}

/// A moment on the axis: milliseconds, or seconds where the span is long.
pub fn label(at_ms: f64, span_ms: f64) -> String {
    if span_ms >= 5000.0 {
        let seconds = at_ms / 1000.0;
        if seconds.fract() == 0.0 { format!("{seconds:.0} s") } else { format!("{seconds:.1} s") }
    } else if at_ms.fract() == 0.0 {
        format!("{at_ms:.0} ms")
    } else {
        format!("{at_ms:.1} ms")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_round_and_inside() {
        let scale = Scale::new(-30.0, 287.0, 0.0, 800.0);
        let marks = scale.marks();
        assert!(marks.contains(&0.0) && marks.contains(&250.0), "{marks:?}");
        assert!((5..=13).contains(&marks.len()), "{marks:?}");
        assert!(marks.iter().all(|mark| scale.shows(*mark)), "{marks:?}");
    }

    #[test]
    fn pixels_follow_time_and_stay_inside() {
        let scale = Scale::new(0.0, 100.0, 10.0, 200.0);
        for (at, x) in [(0.0, 10.0), (50.0, 110.0), (100.0, 210.0), (-5.0, 10.0), (500.0, 210.0)] {
            assert!((scale.x(at) - x).abs() < 1e-9, "{at} -> {}", scale.x(at));
        }
    }

    #[test]
    fn a_moment_alone_still_has_a_scale() {
        assert!(Scale::new(5.0, 5.0, 0.0, 100.0).x(5.5) > 0.0);
    }

    #[test]
    fn long_spans_are_told_in_seconds() {
        assert_eq!(label(2000.0, 9000.0), "2 s");
        assert_eq!(label(250.0, 400.0), "250 ms");
    }
}
