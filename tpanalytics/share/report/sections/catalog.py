"""The questions a report answers, in order; another question, or another chart to one, is another line here."""

from tpanalytics.share.calls import Call
from tpanalytics.share.report.results import CARD_CALLS
from tpanalytics.share.report.sections import change, data_quality, single_jobs, snapshot
from tpanalytics.share.report.sections.section import Section

__all__ = ["SECTIONS"]

#: What a call about two snapshots takes.
TWO = ("before", "profiles")
#: In the order of the page.
SECTIONS: tuple[Section, ...] = (
    Section(
        key="bridge",
        question="Why are there more or fewer highly automatable hours?",
        lead="What was newly measured tells of the data, not of the work: read it apart from the rest.",
        measure=Call("compare", TWO, choices=("states",)),
        table=change.hours_bridge,
        charts=(
            Call("plot_compare", TWO, choices=("states", "privacy")),
            Call("plot_compare", TWO, choices=("states", "privacy"), arguments={"by": "job_family"}),
        ),
        cut="rows",
        when=change.given,
        group="change",
    ),
    Section(
        key="index",
        question="Did the work change, or its mix?",
        lead="A change within families is one of their tasks; a change of mix means that some families grew.",
        measure=Call("compare_exposure", TWO, choices=("level_weights", "states")),
        table=change.index,
        cut="rows",
        when=change.given,
        group="change",
    ),
    Section(
        key="level-moves",
        question="Which tasks were given another level?",
        lead="That a level became known is a fact about the data; only a move from level to level is a new judgement.",
        measure=Call("transitions", TWO, choices=("states",)),
        table=change.levels,
        charts=(Call("plot_transitions", TWO, choices=("states", "privacy"), arguments={"weight": "hours"}),),
        cut="part",
        when=change.given,
        group="change",
    ),
    Section(
        key="state-moves",
        question="What became of suggested tasks?",
        lead="A task that was rejected in between counts nowhere else.",
        measure=Call("transitions", TWO, arguments={"of": "state"}),
        table=change.validation,
        cut="part",
        when=change.given,
        group="change",
    ),
    Section(
        key="mix",
        question="How does the work split over AI impact levels?",
        lead="Each bar is a family's described week; its dark end is the work rated highly automatable.",
        measure=CARD_CALLS["mix"],
        table=snapshot.mix,
        charts=(Call("plot_impact", choices=("states", "privacy"), arguments={"weight": "hours"}),),
    ),
    Section(
        key="exposure",
        question="How exposed is the work, and how sure is that?",
        lead="An index from 0 to 1: the hours of each level times its weight. The bounds hold whatever is not known.",
        measure=CARD_CALLS["exposure"],
        table=snapshot.exposure,
        charts=(
            Call("plot_exposure", choices=("level_weights", "contract_hours", "states", "privacy")),
            Call("plot_weight_sensitivity", choices=("level_weights", "contract_hours", "states", "privacy")),
        ),
    ),
    Section(
        key="hours",
        question="How many weekly hours do the jobs describe?",
        lead="For one incumbent of each job. A job some of whose tasks have no hours is longer than it looks.",
        measure=CARD_CALLS["hours"],
        table=snapshot.hours,
        charts=(Call("plot_hours", choices=("states", "privacy")),),
    ),
    Section(
        key="concentration",
        question="Do a few tasks make up most of the hours?",
        lead="Where they do, a few tools reach much of the work.",
        measure=Call("concentration", choices=("states",)),
        table=snapshot.concentration,
        charts=(Call("plot_concentration", choices=("states", "privacy")),),
    ),
    Section(
        key="candidates",
        question="Which tasks come first if something is to be automated?",
        lead="In order of the hours known to be at H1. Places that overlap cannot be told apart.",
        measure=Call("automation_candidates", choices=("states", "privacy"), arguments={"top": snapshot.TOP}),
        table=snapshot.candidates,
        charts=(
            Call(
                "plot_automation_candidates",
                choices=("contract_hours", "states", "privacy"),
                arguments={"top": snapshot.TOP},
            ),
        ),
        cut="rows",
        when=snapshot.of_company,
    ),
    Section(
        key="overlap",
        question="Which families do the same work?",
        lead="What one family has learned, or bought, the other can use.",
        measure=Call("overlap", choices=("states",)),
        table=snapshot.overlap,
        code=snapshot.OVERLAP,
        charts=(Call("plot_overlap", choices=("states", "privacy")),),
        cut="rows",
        when=snapshot.of_company,
    ),
    Section(
        key="jobs",
        question="How do single jobs stand?",
        lead="Of jobs, not of persons. These rows are here because they were asked for.",
        measure=Call("exposure_by_job", choices=("level_weights", "contract_hours", "states")),
        table=single_jobs.jobs,
        code=single_jobs.JOBS,
        cut="part",
        when=single_jobs.jobs_asked,
    ),
    Section(
        key="rationales",
        question="Why were tasks rated as they are?",
        lead="Rationales as they were exported, of the highly automatable tasks with the most hours.",
        measure=Call("impact", choices=("states",), arguments={"weight": "hours"}),
        table=single_jobs.rationales,
        code=single_jobs.RATIONALES,
        when=single_jobs.rationales_asked,
    ),
    Section(
        key="coverage",
        question="How much is known of each family?",
        lead="Shares of a family's tasks. The grade goes by the tasks with hours and a level.",
        measure=Call("coverage", choices=("states",)),
        table=data_quality.coverage,
        charts=(Call("plot_coverage", choices=("states", "privacy")),),
        group="quality",
    ),
    Section(
        key="checks",
        question="What is missing, contradictory or odd?",
        lead="Nothing was corrected. A check that could not be made says why.",
        measure=Call("quality_report", choices=("states",)),
        table=data_quality.checks,
        cut="part",
        group="quality",
    ),
)
