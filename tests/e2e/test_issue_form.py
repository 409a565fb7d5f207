"""The form by which results are sent in, against the rules for such forms [GitHub, Syntax for GitHub's form schema]: the
forge shows no form that breaks one."""
import glob
import os
import re
import sys

try:
    import yaml
except ImportError:
    print("no PyYAML")
    sys.exit(77)

SOURCE = os.environ["SOURCE"]
TYPES = {"markdown": {"value"}, "input": {"label", "description", "placeholder", "value"},
         "textarea": {"label", "description", "placeholder", "value", "render"}, "checkboxes": {"label", "description", "options"},
         "dropdown": {"label", "description", "options", "multiple", "default"}}
failures = 0


def complain(text):
    global failures
    failures += 1
    print("FAILED:", text)


def check_field(where, field, ids, labels):
    kind, attributes = field.get("type"), field.get("attributes", {})
    if kind not in TYPES or set(field) - {"type", "id", "attributes", "validations"}:
        complain(f"{where}: a field {kind!r} with {list(field)}")
        return
    if set(attributes) - TYPES[kind] or not all(isinstance(v, (str, list)) for v in attributes.values()):
        complain(f"{where}: a field {kind} with {attributes}")
    if set(field.get("validations", {})) - {"required"}:
        complain(f"{where}: {kind} is validated by {field['validations']}")
    if kind == "markdown":
        return
    if not re.fullmatch("[A-Za-z0-9_-]+", field.get("id", "")) or field["id"] in ids or attributes.get("label") in labels:
        complain(f"{where}: the id or label of {field.get('id')} is none or not its own")
    ids.add(field["id"])
    labels.add(attributes.get("label"))
    for option in attributes.get("options", []) if kind == "checkboxes" else []:
        if set(option) - {"label", "required"} or not isinstance(option["label"], str) or option.get("required") not in (None, True, False):
            complain(f"{where}: a box {option}")


forms = glob.glob(os.path.join(SOURCE, ".github/ISSUE_TEMPLATE/*.yml"))
for path in forms:
    with open(path, encoding="utf-8") as file:
        form = yaml.safe_load(file)
    name, ids, labels = os.path.basename(path), set(), set()
    for key in ("name", "description", "body"):
        if not form.get(key):
            complain(f"{name}: no {key}")
    if set(form) - {"name", "description", "title", "labels", "body", "assignees", "projects", "type"}:
        complain(f"{name}: keys {list(form)}")
    for field in form["body"]:
        check_field(name, field, ids, labels)
    if name == "benchmark-result.yml":
        required = {field["id"] for field in form["body"] if field.get("validations", {}).get("required")}
        boxes = [box for field in form["body"] if field["type"] == "checkboxes" for box in field["attributes"]["options"]]
        if not {"device", "command", "result"} <= required or not any("--verify-file" in box["label"] and box["required"] for box in boxes):
            complain(f"{name} does not ask for device, command, file and its check")
if not any(path.endswith("benchmark-result.yml") for path in forms):
    complain("there is no form for results")
sys.exit(1 if failures else 0)
