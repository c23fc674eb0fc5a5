"""The form of the Generate page, drawn from ParamSpec rows."""

from sfumato.desktop.parameters.arrangement import Arrangement
from sfumato.desktop.parameters.aspect import Aspect
from sfumato.desktop.parameters.form import ParameterForm
from sfumato.desktop.parameters.section import Section

__all__ = ["Arrangement", "Aspect", "ParameterForm", "Section"]
