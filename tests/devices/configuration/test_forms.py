import pytest
from django import forms
from django.test.html import parse_html

from devices.configuration_forms import AssignForm
from devices.models import Label

pytestmark = pytest.mark.django_db


def test_the_choice_of_a_label_is_what_django_would_make_of_it() -> None:
    chosen = Label.objects.create(name='Ground <floor> & "roof"')
    form = AssignForm({"label": str(chosen.pk)})
    plain = forms.Select()
    plain.choices = form.fields["label"].widget.choices

    expected = parse_html(plain.render("label", str(chosen.pk), {"id": "id_label"}))

    assert parse_html(str(form["label"])) == expected
    assert "&lt;floor&gt;" in str(form["label"])
