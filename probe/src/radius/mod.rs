//! RADIUS: one server, asked at an interval.

pub mod packet;
mod prober;

pub use packet::{AnswerCode, Bad, Nas, Question, Request, Requirement};
pub use prober::{Counters, Prober, Settings};
