"""Release or withhold: what leaves, by the verdicts, the red-flag duty and the tenant's policy."""

from dataclasses import dataclass

from service.domain.answer import Candidate, Judged, Outcome, Reason
from service.domain.assessment import Assessment
from service.domain.conversation import ToolCall
from service.domain.enquiry import FailurePolicy
from service.domain.verdict import Finding, Verdict, passes

SAFE_MESSAGES = {
    "en": "I cannot give you an answer that has passed its safety checks. Please ask a doctor, nurse or pharmacist. "
    "If you feel very unwell or are getting worse, get medical help now.",
    "es": "No puedo darle una respuesta que haya superado las comprobaciones de seguridad. Consulte a un médico, "
    "enfermero o farmacéutico. Si se encuentra muy mal o empeora, busque atención médica ahora.",
    "fr": "Je ne peux pas vous donner une réponse qui ait passé les contrôles de sécurité. Demandez à un médecin, à un "
    "infirmier ou à un pharmacien. Si vous vous sentez très mal ou si cela s'aggrave, consultez tout de suite.",
    "de": "Ich kann Ihnen keine Antwort geben, die die Sicherheitsprüfungen bestanden hat. Fragen Sie einen Arzt, "
    "eine Pflegekraft oder einen Apotheker. Wenn es Ihnen sehr schlecht geht oder schlechter wird, holen Sie sofort "
    "ärztliche Hilfe.",
    "pt": "Não posso dar-lhe uma resposta que tenha passado nas verificações de segurança. Fale com um médico, "
    "enfermeiro ou farmacêutico. Se se sentir muito mal ou estiver a piorar, procure ajuda médica agora.",
    "ru": "Я не могу дать ответ, прошедший проверку безопасности. Обратитесь к врачу, медсестре или фармацевту. "
    "Если вам очень плохо или становится хуже, немедленно обратитесь за медицинской помощью.",
    "hi": "मैं आपको ऐसा उत्तर नहीं दे सकता जो सुरक्षा जाँच में पास हुआ हो। कृपया डॉक्टर, नर्स या फार्मासिस्ट से पूछें। "
    "अगर आपकी तबीयत बहुत खराब है या बिगड़ रही है, तो अभी चिकित्सा सहायता लें।",
    "zh": "我无法给您一个通过安全检查的回答。请咨询医生、护士或药剂师。如果您感觉非常不适或病情加重，请立即就医。",  # noqa: RUF001 - Chinese
    "ar": "لا أستطيع أن أقدم لك إجابة اجتازت فحوص السلامة. يرجى سؤال طبيب أو ممرض أو صيدلي. "
    "إذا كنت تشعر بتوعك شديد أو كانت حالتك تسوء، فاطلب المساعدة الطبية الآن.",
}


@dataclass(frozen=True, slots=True)
class Release:
    """What leaves: text, tool calls, and how and why."""

    text: str
    outcome: Outcome
    reason: Reason | None
    judged: Judged | None
    tool_calls: tuple[ToolCall, ...] = ()
    finish_reason: str = "content_filter"


def release(assessment: Assessment, best: Judged | None, *, trouble: Reason | None, duty_id: str) -> Release:
    """The best judged candidate if it passes; otherwise as the tenant's policy says.

    Where two judges judged it, both must find that it passes: either alone lets too much through.
    `trouble` is what ended the work early, where something did. The red-flag duty holds under every policy: its words
    leave with whatever leaves, and an answer that goes against them never does.
    """
    line = assessment.enquiry.tenant.release_line
    if best is None or not all(_was_judged(verdicts) for verdicts in best.by_judge):
        return _without(assessment, trouble or Reason.JUDGE_FAILED)
    whole = trouble is not Reason.SCHEMA_UNMET  # JSON that is not what was asked for is no answer, however sound
    if whole and all(passes(verdicts, line=line) for verdicts in best.by_judge):
        return _with(assessment, best, outcome=Outcome.RELEASED, reason=None)
    if not all(_upholds_duty(verdicts, duty_id=duty_id) for verdicts in best.by_judge):
        return _safe(assessment, Reason.RED_FLAG_CONTRADICTED)
    reason = trouble or Reason.CRITERIA_UNMET
    if assessment.enquiry.tenant.failure_policy is FailurePolicy.RELEASE_FLAGGED:
        return _with(assessment, best, outcome=Outcome.RELEASED_FLAGGED, reason=reason)
    return _without(assessment, reason)


def unjudged(chore: Candidate) -> Release:
    """A chore's text, which no judge has read. No other such text leaves."""
    return Release(chore.body, Outcome.CHORE, None, None, finish_reason=chore.finish_reason)


def _was_judged(verdicts: tuple[Verdict, ...]) -> bool:
    """Whether anything is known of it: where every verdict failed, it is unjudged, and unjudged text never leaves."""
    return any(v.finding is not Finding.UNKNOWN for v in verdicts)


def _upholds_duty(verdicts: tuple[Verdict, ...], *, duty_id: str) -> bool:
    return all(v.met for v in verdicts if v.criterion.id == duty_id)


def _with(assessment: Assessment, judged: Judged, *, outcome: Outcome, reason: Reason | None) -> Release:
    """The candidate leaves. Only JSON leaves without the duty's words: the reply carries them beside it."""
    candidate = judged.candidate
    text = candidate.body if assessment.enquiry.shape.fits(candidate.body) else candidate.text
    return Release(text, outcome, reason, judged, candidate.tool_calls, candidate.finish_reason)


def _without(assessment: Assessment, reason: Reason) -> Release:
    """No candidate leaves; a policy that would flag one has none to flag that was judged."""
    if assessment.enquiry.tenant.failure_policy is FailurePolicy.FAIL_CLOSED:
        return Release(assessment.duty, Outcome.WITHHELD, reason, None)
    return _safe(assessment, reason)


def _safe(assessment: Assessment, reason: Reason) -> Release:
    message = SAFE_MESSAGES.get(assessment.language, SAFE_MESSAGES["en"])
    text = f"{assessment.duty}\n\n{message}" if assessment.duty else message
    return Release(text, Outcome.SAFE_MESSAGE, reason, None)
