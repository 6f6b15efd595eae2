"""What the page calls things, and what it says about them."""

BASELINES = {
    "sum_logprob": "whole answer's probability",
    "mean_logprob": "mean token probability",
    "min_logprob": "least token probability",
    "first_probability_margin": "first token's margin",
    "mean_entropy": "low mean entropy",
}
"""Signals that need no fitting, as estimates."""

HEADS = {
    "compact": "a few signals of different kinds",
    "linear": "every signal",
    "hidden": "every signal and the hidden states",
    "trees": "boosted trees on every signal",
}

RISK = {
    "regret": "Cost (% of all questions)",
    "selective": "Wrong (% of kept answers)",
    "agreement": "Differs from the cloud (% of kept)",
}
"""The axis of what each promise is about."""

TITLES = {
    "regret": "What keeping costs: answers lost that the cloud had right",
    "selective": "Wrong answers among those kept (risk-coverage curve)",
    "agreement": "Kept answers that differ from the cloud's",
}

METRICS = {
    "auroc": ("AUROC", "over all tasks; 0.5 is chance, 1 is perfect"),
    "auroc_within_tasks": ("AUROC within tasks", "mean over tasks; not helped by telling hard tasks from easy ones"),
    "prr": ("prediction-rejection ratio", "0 is chance, 1 is the oracle"),
    "smooth_ece": ("smooth ECE", "how far p is from the truth; 0 is best"),
    "ece_10_bins": ("ECE, ten bins", "the same by bins; mostly noise below a thousand questions"),
    "brier": ("Brier score", "mean squared error of p; 0 is best"),
    "deferral_area": ("deferral area", "0 is sending questions at random, 1 is the best order"),
}

GLOSSARY = {
    "Agreement": "Whether the device's answer says the same as the cloud's. It can be checked without knowing the "
    "right answer.",
    "AUROC": "The chance that of two answers, one right and one wrong, the right one has the higher p. 0.5 is a coin, "
    "1 is perfect. It says nothing about whether p is true as a number.",
    "Baseline": "A simple estimate that needs no fitting, such as the mean token probability. What was fitted should "
    "be better than all of them.",
    "Brier score": "The mean of (p less outcome)², where the outcome is 1 for a right answer and 0 for a wrong one. It "
    "rewards both ranking and calibration; smaller is better.",
    "Calibrated": "Of all answers with p = 70 %, about 70 % are right, and so for every other p.",
    "Certificate": "The record of a promise: what is promised, for which threshold, from how many questions, with "
    "what confidence and by which test.",
    "Certified questions": "Questions that were used for nothing but the certificate and this page. The estimate was "
    "not fitted on them, so they judge it fairly.",
    "Confidence": "90 % confidence: of ten calibrations made in this way, each on new questions, about nine or more "
    "give a promise that is true.",
    "Deferral": "Sending a question to the cloud instead of keeping the device's answer.",
    "Deferral area": "How well the order of sending is chosen: 0 as good as at random, 1 the best order that there is.",
    "Drift": "Questions, or answers, are no longer like those that were calibrated on. The promise then no longer "
    "follows, and an alarm takes it back.",
    "False alarm": "A gate stops an answer that would have been kept.",
    "Gate": "An early look at an unfinished answer: one that will not be kept anyway is stopped, which saves time.",
    "Head": "The small model that turns the signals of an answer into one number, which a calibrator turns into p.",
    "Interval": "A range that contains the true value in 95 of 100 cases; wide where there are few questions.",
    "Log-loss": "The mean surprise at the outcomes, given p; smaller is better. Being sure and wrong costs most.",
    "Oracle": "An estimate that knows every outcome: the limit that no estimate can pass.",
    "p": "The estimated probability that the device's answer is right, between 0 and 100 %.",
    "Prediction-rejection ratio": "How much better the rest becomes as the least sure answers are left out: 0 as "
    "chance, 1 as the oracle.",
    "Promise": "A limit on a risk, with a confidence. It holds over all questions of the calibrated mixture together, "
    "not for every task or person by itself.",
    "Random": "Keeping answers by lot: an estimate that knows nothing.",
    "Regret": "The questions on which keeping the device's answer loses one that the cloud had right, as a share of "
    "all questions. Where both are wrong nothing is lost.",
    "Selective risk": "The share of wrong answers among those that are kept.",
    "Share kept": "The part of all questions that is answered on the device, without the cloud.",
    "Smooth ECE": "Expected calibration error, smoothed: how far p is from the truth on average, without the "
    "accidents of bins. 0 is best.",
    "Threshold": "An answer is kept if and only if its p is at least this.",
    "Upper bound": "The largest risk that is still compatible with what was seen, at the stated confidence. A promise "
    "needs it to be at most the risk promised.",
}
