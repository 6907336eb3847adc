"""One value through each layer: its numbers against torch, and its working in words and formulas."""

import re
from fractions import Fraction

import pytest
import torch
from torch.nn import functional as F

from service.appendix.inference import update_running
from service.appendix.layer import follow_first_value
from service.appendix.layer_working import write_inference_steps, write_layer_steps
from service.appendix.notation import Latex, MathMl
from service.appendix.sample import STUDY_SAMPLE
from service.appendix.statistics import NORMALIZATIONS, Appendix, Normalization, work_out
from tests.service.appendix.test_statistics import make_tensor

STUDY = work_out(STUDY_SAMPLE)
PIXELS = [[[[float(v) for v in r] for r in c] for c in n] for n in STUDY_SAMPLE.pixels]
GAMMA, BETA, EPS = [1.5, -2.0, 0.25, 1.0], [0.5, 0.0, -1.0, 3.0], 1e-5
AFFINE = work_out(PIXELS, eps=EPS, gamma=GAMMA, beta=BETA)


def write_latex_steps(appendix: Appendix, name: Normalization, *, index: int = 0) -> list[str]:
    steps = write_layer_steps(appendix, appendix.sets[name][index], notation=Latex())
    return [" ".join(step.pieces) for step in steps]


class TestFollowedValue:
    @pytest.mark.parametrize("name", NORMALIZATIONS)
    def test_every_set_s_first_value_is_what_torch_gives(self, name: Normalization) -> None:
        x, gamma, beta = make_tensor(PIXELS), make_tensor(GAMMA), make_tensor(BETA)
        standardized = {
            "batch": F.batch_norm(x, None, None, training=True, eps=EPS),
            "layer": F.layer_norm(x, x.shape[1:], eps=EPS),
            "group": F.group_norm(x, 2, eps=EPS),
            "instance": F.instance_norm(x, eps=EPS),
        }[name]
        output = standardized * gamma[:, None, None] + beta[:, None, None]
        for one in AFFINE.sets[name]:
            followed = follow_first_value(AFFINE, one)
            assert followed.value == PIXELS[followed.position[0]][followed.position[1]][0][0]
            assert followed.standardized == pytest.approx(standardized[followed.position].item(), rel=1e-12)
            assert followed.output == pytest.approx(output[followed.position].item(), rel=1e-12)

    def test_inference_is_what_torch_gives(self) -> None:
        x, mean, variance = make_tensor(PIXELS), torch.zeros(4).double(), torch.ones(4).double()
        F.batch_norm(x, mean, variance, training=True, momentum=0.1)
        gamma, beta = make_tensor(GAMMA), make_tensor(BETA)
        output = F.batch_norm(x, mean, variance, gamma, beta, training=False, eps=EPS)
        for channel, running in enumerate(update_running(AFFINE)):
            followed = follow_first_value(AFFINE, running)
            assert followed.output == pytest.approx(output[0, channel, 0, 0].item(), rel=1e-12)


class TestLayerSteps:
    def test_blue_in_batch_norm(self) -> None:
        normalized, scaled = write_latex_steps(STUDY, "batch")
        assert normalized == (
            r"\hat{x} = \frac{x - \mu}{\sqrt{\sigma^2 + \varepsilon}} "
            r"= \frac{-3 - (-0.375)}{\sqrt{4.359375 + 0}} \approx \frac{-2.625}{2.08791} \approx -1.25724"
        )
        assert scaled == r"y = \gamma \hat{x} + \beta \approx 1 \cdot (-1.25724) + 0 \approx -1.25724"

    def test_a_rational_root_gives_an_equality(self) -> None:
        normalized, scaled = write_latex_steps(STUDY, "instance", index=4)
        assert normalized.endswith(r"= \frac{-1.5}{1.5} = -1")
        assert scaled.endswith(r"= 1 \cdot (-1) + 0 = -1")

    def test_eps_gamma_and_beta_are_those_used(self) -> None:
        normalized, scaled = write_latex_steps(AFFINE, "batch")
        assert r"\sqrt{4.359375 + 0.00001}" in normalized
        assert r"1.5 \cdot (-1.25724) + 0.5 \approx -1.38585" in scaled
        words = write_layer_steps(AFFINE, AFFINE.sets["batch"][1], notation=Latex())[1].words
        assert words == "Multiply by γ = −2 and add β = 0."

    def test_every_set_s_working_ends_in_its_own_output(self) -> None:
        for name in NORMALIZATIONS:
            for index, one in enumerate(STUDY.sets[name]):
                image, channel, row, column = one.first_position
                output = STUDY.normalized[name][image][channel][row][column]
                last = re.split(r"= |\\approx ", write_latex_steps(STUDY, name, index=index)[1])[-1]
                number = Fraction(re.sub(r"\\frac{(\d+)}{(\d+)}", r"\1/\2", last))
                assert float(number) == pytest.approx(output, rel=1e-5)

    def test_zero_over_zero_is_said(self) -> None:
        appendix = work_out([[[[5, 5]]]], groups=1)
        normalized, scaled = write_layer_steps(appendix, appendix.sets["batch"][0], notation=Latex())
        assert normalized.words.endswith("0 is written for 0/0.")
        assert normalized.pieces[-2:] == (r"= \frac{5 - 5}{\sqrt{0 + 0}}", ":= 0")
        assert scaled.pieces[-1] == "= 0"


class TestInferenceSteps:
    def test_blue_of_the_study(self) -> None:
        steps = write_inference_steps(STUDY, update_running(STUDY)[0], notation=Latex())
        latex = {step.name: " ".join(step.pieces) for step in steps}
        assert latex["unbiased variance"].endswith(r"\sigma^2 = \frac{16}{15} \cdot 4.359375 = 4.65")
        assert latex["running mean"].endswith(r"= 0.9 \cdot 0 + 0.1 \cdot (-0.375) = -0.0375")
        assert latex["running variance"].startswith(r"\sigma_{\text{run}}^2 \leftarrow (1 - m) \cdot")
        assert latex["running variance"].endswith(r"= 0.9 \cdot 1 + 0.1 \cdot 4.65 = 1.365")
        assert latex["normalized value"].endswith(r"\approx \frac{-2.9625}{1.16833} \approx -2.53567")

    def test_mathml_has_as_many_pieces(self) -> None:
        running = update_running(STUDY)[1]
        latex, mathml = (
            write_inference_steps(STUDY, running, notation=notation) for notation in (Latex(), MathMl())
        )
        assert [len(step.pieces) for step in latex] == [len(step.pieces) for step in mathml]
        assert "<msubsup><mrow><mi>σ</mi></mrow><mtext>run</mtext><mn>2</mn></msubsup>" in mathml[2].pieces[0]
