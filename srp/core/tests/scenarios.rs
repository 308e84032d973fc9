//! The stories in `scenarios/*.txt`, each a test: what happens, line by line, in virtual time.
//!
//! `SRP_SCENARIOS=write cargo test -p srp-core --test scenarios` writes them anew; review the difference.

use std::path::PathBuf;

#[allow(dead_code, reason = "shared with the simulator, each uses its part")]
#[path = "sim/mod.rs"]
mod sim;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

fn tell(name: &str) {
    let path = folder().join(format!("{name}.txt"));
    let written =
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let played = match sim::script::play(&written) {
        Ok(played) => played,
        Err(error) => panic!("{name}: {error}"),
    };
    if std::env::var("SRP_SCENARIOS").is_ok_and(|mode| mode == "write") {
        std::fs::write(&path, played).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        return;
    }
    for (number, (was, is)) in written.lines().zip(played.lines()).enumerate() {
        assert_eq!(was, is, "{name}.txt, line {}", number + 1);
    }
    assert_eq!(written, played, "{name}.txt");
}

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(#[test] fn $name() { tell(stringify!($name)); })*

        #[test]
        fn every_file_is_told() {
            let known = [$(stringify!($name)),*];
            for entry in std::fs::read_dir(folder()).expect("tests/scenarios") {
                let path = entry.expect("an entry").path();
                let name = path.file_stem().and_then(|stem| stem.to_str()).expect("a name");
                assert!(known.contains(&name), "{name}.txt is in no list of scenarios.rs");
            }
        }
    };
}

scenarios! {
    bgp_1_the_standby_begins_to_announce_when_it_takes_over
    bgp_3_restart_without_a_link_loses_in_routing
    bgp_3_restarted_active_is_vouched_for
    bgp_3_restarted_active_that_is_too_late_stands_by
    bgp_4_standby_announces_the_longer_path
    bgp_4_standby_announces_the_longer_path_by_the_step
    bgp_4_standby_whose_kernel_refuses_tries_again
    bgp_5_a_delta_route_modifier_is_the_step_of_everything
    bgp_5_chassis_with_different_steps_can_still_be_switched_over
    bgp_5_cut_while_the_pair_starts_again
    bgp_5_threshold_starts_the_pair_again_at_1_and_2
    bgp_5_unplanned_take_over_at_the_threshold
    bgp_6_both_modes_are_primary_and_the_link_fails
    bgp_6_both_suspended_start_again
    bgp_6_cut_off_active_comes_back_behind
    bgp_6_cut_off_is_measured_by_the_faster_detector
    bgp_6_flapping_neighbours_do_not_cut_off
    bgp_6_short_pause_changes_nothing
    bgp_6_suspended_active_comes_back_behind
    bgp_6_suspension_is_measured_by_the_faster_detector
    bgp_7_a_switchover_is_reverted_by_the_next_one
    ch_10_same_priority_higher_mac_wins
    ch_10_twins_are_reported_and_still_elect_one
    ch_11_returning_primary_does_not_preempt
    ch_12_a_different_configuration_blocks_a_planned_switchover_only
    ch_13_a_planned_switchover_asks_only_after_the_flush
    ch_16_chassis_far_apart_elect_switch_over_and_take_over
    ch_1_both_standby_elect_one
    ch_1_election_falls_back_when_routers_are_silent
    ch_1_orderly_stop_during_a_switchover
    ch_1_orderly_stop_hands_over_first
    ch_1_orderly_stop_of_the_new_active_during_a_switchover
    ch_1_orderly_stop_of_the_standby
    ch_1_orderly_stop_when_checkpoints_are_not_flushed
    ch_1_orderly_stop_when_the_standby_cannot
    ch_1_orderly_stop_without_a_standby
    ch_1_take_over_does_not_withdraw_the_only_path_when_routers_are_silent
    ch_1_take_over_falls_back_when_the_kernel_is_silent
    ch_1_take_over_that_fails_is_tried_again
    ch_1_take_over_without_bgp_does_not_wait
    ch_2_alone_becomes_active_with_its_initial_modifier
    ch_4_both_send_a_hello_each_interval
    ch_5_bfd_and_two_missing_hellos_take_over_sooner
    ch_5_bfd_failure_beside_a_living_link_switches_nothing
    ch_5_bfd_that_an_operator_takes_down_is_no_failure
    ch_5_bfd_that_never_came_up_does_not_hold_the_dead_interval_off
    ch_5_bfd_up_does_not_keep_a_pair_without_an_active
    ch_5_bfd_up_holds_the_dead_interval_off
    ch_5_bfd_with_one_session_of_two_up_leaves_it_to_the_dead_interval
    ch_5_flapping_link_does_not_switch
    ch_5_power_returns_within_the_dead_interval
    ch_5_standby_takes_over_after_the_dead_interval
    ch_6_delay_interval_defers_the_first_dead_interval
    ch_6_delay_interval_does_not_defer_an_election
    ch_7_dual_active_ends_when_nobody_acknowledges_the_withdraw
    ch_7_one_way_cut_towards_the_active
    ch_7_one_way_cut_towards_the_standby
    ch_7_srp_link_cut_then_healed
    ch_8_primary_becomes_active_and_backup_stands_by
    ch_9_same_mode_lower_priority_number_wins
    grd_1_back_to_back_aaa_switchovers_are_damped
    grd_2_back_to_back_diameter_switchovers_are_damped
    grd_3_failures_after_a_start_are_damped_by_kind
    grd_4_a_restart_whose_neighbours_come_back_in_time_moves_nothing
    mon_1_aaa_counts_on_the_active_alone
    mon_2_all_servers_down_switches_over_and_mon_3_the_new_active_stays
    mon_3_a_manual_switchover_ends_it
    mon_3_an_operator_resets_the_failure
    mon_5_a_failure_waits_for_a_standby
    mon_5_a_peer_that_is_not_better_is_not_switched_to
    mon_5_all_neighbours_of_a_context_down_switches_over
    mon_5_an_attempt_that_falls_back_is_tried_again_some_times
    mon_6_all_of_a_group_down_switches_over
    mon_7_diameter_failure_is_disregarded_by_the_new_active_until_it_is_reset
    sw_13_the_new_active_ends_the_forwarding_of_the_old_one
    sw_13_the_old_active_ends_its_own_forwarding
    sw_13_the_withdraw_is_waited_for_all_the_same
    sw_1_both_chassis_are_asked_at_once
    sw_1_old_active_gives_notice_before_it_withdraws
    sw_1_only_the_active_accepts_a_switchover
    sw_1_planned_switchover_makes_before_it_breaks
    sw_1_switchover_and_back
    sw_1_switchover_ends_when_nobody_acknowledges_the_withdraw
    sw_1_switchover_falls_back_when_checkpoints_are_not_flushed
    sw_1_switchover_falls_back_when_routers_are_slow
    sw_1_switchover_falls_back_when_the_kernel_is_silent
    sw_1_switchover_falls_back_when_the_kernel_refuses
    sw_1_switchover_falls_back_when_the_link_is_lost
    sw_1_switchover_falls_back_when_the_peer_is_silent
    sw_1_switchover_goes_on_when_the_old_active_dies
    sw_1_switchover_waits_until_the_pair_agrees
    sw_1_switchover_without_bgp_is_refused_and_forced_does_not_wait
    sw_1_take_over_that_is_suspended_is_no_longer_planned
    sw_1_the_new_active_is_asked_while_the_old_one_leaves
    sw_2_a_peer_with_failed_monitors_is_an_obstacle
    sw_2_force_takes_what_the_kernel_gives
    sw_2_validation_names_what_is_in_the_way
}
