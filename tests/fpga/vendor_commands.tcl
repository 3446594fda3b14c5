# Stub commands of Vivado and Quartus: each call is recorded, one Tcl list a line, in the file that
# the environment's CALLS names. A command that is not here, or an option that it does not have
# (UG835; Quartus Prime scripting reference), is an error, as it is for the real one.
set calls [open $env(CALLS) w]
fconfigure $calls -buffering line

# Command -> its options: "flag" stands alone, "value" takes one. An unlisted word is an argument.
set options {
    create_project {-force flag -part value}
    add_files {-norecurse flag -fileset value}
    set_property {-name value -value value -objects value}
    get_filesets {}
    get_runs {}
    get_ports {}
    get_files {}
    get_cells {-quiet flag -hierarchical flag -filter value}
    get_pins {-of_objects value -filter value}
    get_iobanks {}
    current_design {}
    set_false_path {-to value}
    write_bitstream {-force flag}
    update_compile_order {-fileset value}
    read_verilog {}
    read_xdc {}
    synth_design {-top value -part value -mode value}
    opt_design {}
    place_design {}
    phys_opt_design {}
    route_design {}
    write_checkpoint {-force flag}
    report_utilization {-hierarchical flag -file value}
    report_timing_summary {-file value}
    get_timing_paths {-max_paths value -nworst value -setup flag -hold flag
        -npaths value}
    get_property {}
    create_clock {-name value -period value}
    derive_clock_uncertainty {}
    project_new {-overwrite flag}
    project_open {}
    project_close {}
    set_global_assignment {-name value}
    set_instance_assignment {-name value -to value}
    set_location_assignment {-to value}
    export_assignments {}
    execute_flow {-compile flag}
    qexec {}
    create_timing_netlist {}
    read_sdc {}
    update_timing_netlist {}
    delete_timing_netlist {}
    get_path_info {-slack flag}
}

proc record {command arguments} {
    puts $::calls [linsert $arguments 0 $command]
    set allowed [dict get $::options $command]
    for {set at 0} {$at < [llength $arguments]} {incr at} {
        set word [lindex $arguments $at]
        if {![string match {-[a-z]*} $word]} continue
        if {![dict exists $allowed $word]} { error "$command has no option $word" }
        if {[dict get $allowed $word] eq "value"} { incr at }
    }
    return [answer $command $arguments]
}

# What the tool would say: lists of one thing, and the setup and hold slack that the test asks for.
proc answer {command arguments} {
    switch $command {
        get_filesets - get_runs - get_ports - get_files { return [lindex $arguments 0] }
        get_cells { return cell }
        get_pins { return pin }
        get_iobanks - current_design { return $command }
        get_timing_paths { return [expr {"-hold" in $arguments ? "HOLD_SLACK" : "SLACK"}] }
        get_property { return $::env([lindex $arguments end]) }
        get_path_info { return $::env([lindex $arguments 0]) }
        qexec { if {$::env(SLACK) < 0 || $::env(HOLD_SLACK) < 0} { error "exit status 1" } }
    }
    return ""
}

foreach command [dict keys $options] {
    proc $command args "record $command \$args"
}
proc foreach_in_collection {name collection body} {
    uplevel 1 [list foreach $name $collection $body]
}
foreach name {project flow sta} { package provide ::quartus::$name 1.0 }
rename unknown {}
