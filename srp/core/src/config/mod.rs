//! The configuration of one chassis, checked: whoever holds a [`Config`] never checks again.

mod model;

pub use model::{
    Action, BgpConfig, Config, ContextConfig, ControlConfig, ImportRule, KernelConfig, LogConfig, LogFormat,
    LoopbackConfig, MonitorBgp, NeighborConfig, NetworkConfig, PoolConfig, Security, SrpConfig,
};
