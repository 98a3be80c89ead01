"""Report sections, in page order."""

from tpanalytics.share.calls import Call
from tpanalytics.share.report.results import CARD_CALLS
from tpanalytics.share.report.sections import change, data_quality, single_jobs, snapshot
from tpanalytics.share.report.sections.section import Section

__all__ = ["SECTIONS"]

#: Names of the snapshots to pass when comparing two.
TWO = ("before", "profiles")
SECTIONS: tuple[Section, ...] = (
    Section(
        key="bridge",
        question="Why did the highly automatable hours change?",
        lead="Newly measured hours reflect a change in the data, not in the work. Read them separately.",
        measure=Call("compare", TWO, choices=("by", "states")),
        table=change.hours_bridge,
        charts=(
            Call("plot_compare", TWO, choices=("states", "privacy")),
            Call("plot_compare", TWO, choices=("by", "states", "privacy")),
        ),
        cut="rows",
        when=change.has_earlier_snapshot,
        group="change",
    ),
    Section(
        key="index",
        question="Did the work change, or the mix of {nouns}?",
        lead="Changes within {words} reflect different tasks. Changes in the mix reflect the growth of some {words}.",
        measure=Call("compare_exposure", TWO, choices=("by", "level_weights", "states")),
        table=change.index,
        cut="rows",
        when=change.compares_groups,
        group="change",
    ),
    Section(
        key="level-moves",
        question="Which tasks were re-rated?",
        lead="Only a move from one level to another is a new judgement. A first assessment is a change in the data.",
        measure=Call("transitions", TWO, choices=("states",)),
        table=change.levels,
        charts=(Call("plot_transitions", TWO, choices=("states", "privacy"), arguments={"weight": "hours"}),),
        cut="part",
        when=change.has_earlier_snapshot,
        group="change",
    ),
    Section(
        key="state-moves",
        question="What happened to suggested tasks?",
        lead="Tasks that were rejected in the meantime are not counted in any other section.",
        measure=Call("transitions", TWO, arguments={"of": "state"}),
        table=change.validation,
        cut="part",
        when=change.has_earlier_snapshot,
        group="change",
    ),
    Section(
        key="mix",
        question="How are working hours distributed over AI impact levels?",
        lead="{each}. The dark end is highly automatable work (H1).",
        measure=CARD_CALLS["mix"],
        table=snapshot.mix,
        charts=(Call("plot_impact", choices=("by", "weight", "states", "privacy")),),
    ),
    Section(
        key="exposure",
        question="How exposed is the work to AI, and how certain is this?",
        lead="An index from 0 to 1: the hours at each level times its weight. The bounds allow for all missing data.",
        measure=CARD_CALLS["exposure"],
        table=snapshot.exposure,
        charts=(
            Call("plot_exposure", choices=("by", "weight", "level_weights", "contract_hours", "states", "privacy")),
            Call("plot_weight_sensitivity", choices=("by", "level_weights", "contract_hours", "states", "privacy")),
        ),
    ),
    Section(
        key="hours",
        question="How many weekly hours are documented?",
        lead="Hours for one incumbent per job. If some tasks of a job have no hours, its total is too low.",
        measure=CARD_CALLS["hours"],
        table=snapshot.hours,
        charts=(Call("plot_hours", choices=("by", "states", "privacy")),),
    ),
    Section(
        key="concentration",
        question="Do a few tasks account for most of the hours?",
        lead="If so, a few tools can affect much of the work.",
        measure=Call("concentration", choices=("by", "states")),
        table=snapshot.concentration,
        charts=(Call("plot_concentration", choices=("states", "privacy")),),
    ),
    Section(
        key="candidates",
        question="Which tasks are the first candidates for automation?",
        lead="Ranked by known hours at H1. Tasks with overlapping intervals are not distinguishable.",
        measure=Call("automation_candidates", choices=("states", "privacy"), arguments={"top": snapshot.MAX_ROWS}),
        table=snapshot.candidates,
        charts=(
            Call(
                "plot_automation_candidates",
                choices=("contract_hours", "states", "privacy"),
                arguments={"top": snapshot.MAX_ROWS},
            ),
        ),
        cut="rows",
        when=snapshot.of_company,
    ),
    Section(
        key="overlap",
        question="Which {words} do the same work?",
        lead="{Words} that share tasks can share experience and tools.",
        measure=Call("overlap", choices=("by", "states")),
        table=snapshot.overlap,
        code=snapshot.OVERLAP,
        charts=(Call("plot_overlap", choices=("by", "states", "privacy")),),
        cut="rows",
        when=snapshot.of_several_groups,
    ),
    Section(
        key="jobs",
        question="How exposed are individual jobs?",
        lead="The rows describe jobs, not people. They are included because they were requested.",
        measure=Call("exposure", choices=("level_weights", "contract_hours", "states"), arguments={"by": "job_id"}),
        table=single_jobs.jobs,
        code=single_jobs.JOBS,
        cut="part",
        when=single_jobs.jobs_requested,
    ),
    Section(
        key="rationales",
        question="Why were tasks rated as highly automatable?",
        lead="Rationales from the export, for the highly automatable tasks with the most hours.",
        measure=CARD_CALLS["mix"],
        table=single_jobs.rationales,
        code=single_jobs.RATIONALES,
        when=single_jobs.rationales_requested,
    ),
    Section(
        key="coverage",
        question="What is the coverage{of_each}?",
        lead="Shares of {tasks_of} tasks. The data grade is based on the tasks with both hours and a level.",
        measure=Call("coverage", choices=("by", "states")),
        table=data_quality.coverage,
        charts=(Call("plot_coverage", choices=("by", "states", "privacy")),),
        group="quality",
    ),
    Section(
        key="checks",
        question="Which data are missing, contradictory or unusual?",
        lead="No data were corrected. Checks that could not be run state the reason.",
        measure=Call("quality_report", choices=("states",)),
        table=data_quality.checks,
        code=data_quality.checks_code,
        cut="part",
        group="quality",
    ),
)
