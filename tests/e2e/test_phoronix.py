"""The profile for Phoronix Test Suite (bench/phoronix): its files are such as the suite's schemas ask for, install.sh makes
a program, and what the suite would read from that program's log are the program's numbers. The suite itself is not needed."""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as xml

ADATOM, SOURCE = os.environ["ADATOM"], os.environ["SOURCE"]
PROFILE = os.path.join(SOURCE, "bench/phoronix/adatom-1.0.0")
# The elements of the schemas (test-profile.xsd, results-parser.xsd) in their order, as far as they are used here.
ORDER = {
    "PhoronixTestSuite": ["TestInformation", "TestProfile", "TestSettings", "ResultsParser"],
    "TestInformation": ["Title", "AppVersion", "Description", "ResultScale", "Proportion", "SubTitle", "Executable", "TimesToRun"],
    "TestProfile": ["Version", "SupportedPlatforms", "SoftwareType", "TestType", "License", "Status", "ExternalDependencies",
                    "EnvironmentSize", "EstimatedTimePerRun", "InternalTags", "Maintainer", "SystemDependencies"],
    "TestSettings": ["Option"], "Option": ["DisplayName", "Identifier", "Menu"], "Menu": ["Entry"],
    "Entry": ["Name", "Value", "Message"],
    "ResultsParser": ["OutputTemplate", "LineHint", "ResultScale", "ResultProportion", "AppendToArgumentsDescription"]}
MANY = {"Option", "Entry", "ResultsParser"}
FORMS = {"Title": ".{2,50}", "Description": ".{0,2048}", "Proportion": "HIB|LIB", "ResultProportion": "HIB|LIB", "TimesToRun": "[1-9]",
         "Version": r"[0-9]\.[0-9]{1,2}\.[0-9]{1,2}", "SoftwareType": "Benchmark", "TestType": "Graphics", "License": "Free",
         "Status": "Verified|Unverified|Experimental", "EnvironmentSize": "[0-9.]+", "EstimatedTimePerRun": "[1-9][0-9]*",
         "SupportedPlatforms": "Linux"}
CASES = ["adapt/atoms/conv4/84/5w1s5q/5", "adapt/full/conv4-none/84/5w1s5q/2", "pretrain/conv4/42/b8", "startup/warm",
         "conv/forward/composed/64x64x3/42/b5"]
failures = 0


def complain(text):
    global failures
    failures += 1
    print("FAILED:", text)


def check_element(element, where):
    names, order = [child.tag for child in element], ORDER.get(element.tag, [])
    if any(name not in order for name in names) or names != sorted(names, key=order.index):
        complain(f"{where}: {element.tag} has {names}, in another order than {order}")
    for name in set(names) - MANY:
        if names.count(name) > 1:
            complain(f"{where}: {name} twice")
    if element.tag in FORMS and not re.fullmatch(FORMS[element.tag], element.text or ""):
        complain(f"{where}: {element.tag} is {element.text!r}")
    for child in element:
        check_element(child, where)


def trimmed(line):
    """A line as the suite splits it into words."""
    return re.sub(r"[()\t]", " ", line.replace("=", " = ")).split()


def read_result(parser, log):
    """What the suite finds by a template: of the last line with the hint the word at the place of the result, if it is a
    number; else of the line before it, and so on."""
    template, hint = parser.find("OutputTemplate").text, parser.find("LineHint").text
    if hint not in template:
        complain(f"the hint {hint!r} is not in the template {template!r}, so it would not be used")
    place = trimmed(template).index("#_RESULT_#")
    for line in reversed([line for line in log.splitlines() if hint in line]):
        words = trimmed(line)
        try:
            return float(words[place])
        except (ValueError, IndexError):
            continue
    return None


def install(environment, folder, script=os.path.join(PROFILE, "install.sh")):
    """Calls install.sh as the suite does: in the folder, which is also the home."""
    os.makedirs(folder)
    result = subprocess.run(["sh", script], cwd=folder, capture_output=True, text=True,
                            env={**os.environ, "HOME": os.path.abspath(folder), **environment})
    with open(os.path.join(folder, "install-exit-status"), encoding="ascii") as file:
        status = int(file.read())
    if status != result.returncode:
        complain(f"install-exit-status is {status}, the exit code {result.returncode}")
    return result


def check_install():
    """From an installed program, from the tree that the profile is linked from, and from neither."""
    if subprocess.run(["sh", "-n", os.path.join(PROFILE, "install.sh")]).returncode != 0:
        complain("install.sh is no shell script")
    made = install({"ADATOM": ADATOM}, "made")
    if made.returncode != 0 or not os.access("made/adatom-bench", os.X_OK):
        complain(f"nothing was made of a program: {made.stderr}")
    os.makedirs("tools")
    with open("tools/cmake", "w", encoding="ascii") as file: # says what it was asked for, and "builds" the program that there is
        file.write(f"#!/bin/sh\necho \"$@\" >>asked\nmkdir -p build\nln -sf '{ADATOM}' build/adatom\n")
    os.chmod("tools/cmake", 0o755)
    os.symlink(PROFILE, "linked")
    built = install({"ADATOM": "", "PATH": os.path.abspath("tools") + ":" + os.environ["PATH"]}, "built", os.path.abspath("linked/install.sh"))
    asked = []
    if os.path.exists("built/asked"):
        with open("built/asked", encoding="utf-8") as file:
            asked = file.read().splitlines()
    tree = asked[0].split()[1] if asked else ""
    if built.returncode != 0 or len(asked) != 2 or not os.path.isdir(tree) or not os.path.samefile(tree, SOURCE) or "--target adatom" not in asked[1]:
        complain(f"building from the tree: {asked} {built.stderr}")
    shutil.copy(os.path.join(PROFILE, "install.sh"), "lonely.sh")
    lonely = install({"ADATOM": ""}, "a/b/c/lonely", os.path.abspath("lonely.sh"))
    if lonely.returncode != 2 or "ADATOM_SOURCE" not in lonely.stderr or os.path.exists("a/b/c/lonely/adatom-bench"):
        complain(f"without a tree: {lonely.returncode} {lonely.stderr}")


def check_results(parsers):
    """What would be read of a run are its numbers; what it lacks on this device is not made up."""
    options = [word for case in CASES for word in ("--filter", case)]
    environment = {**os.environ, "HOME": os.path.abspath("made"), "LOG_FILE": os.path.abspath("log")}
    subprocess.run(["./adatom-bench", "--device", "cpu", "--precision", "fp32", "--threads", "1", *options], cwd="made",
                   env=environment, check=True)
    with open("made/test-exit-status", encoding="ascii") as file:
        if file.read() != "0\n":
            complain("the run failed")
    with open("log", encoding="utf-8") as file:
        log = file.read()
    lines = dict(line.split(" = ", 1) for line in log.splitlines() if " = " in line)
    found = 0
    for parser in parsers:
        name, unit = parser.find("OutputTemplate").text.split(" = #_RESULT_# ")
        expected = lines.get(name)
        result = read_result(parser, log)
        if name == "headline/convolution-fp16" or (expected and expected.startswith("unsupported")):
            if result is not None:
                complain(f"{name}: {result} is read where nothing was measured")
        elif not expected or result != float(expected.split()[0]) or expected.split()[1] != unit or result <= 0:
            complain(f"{name}: {result} is read from {expected!r}")
        else:
            found += 1
            if (parser.find("ResultProportion").text == "LIB") != (unit in ("ms", "us")):
                complain(f"{name}: whether more is better")
    if found < 10:
        complain(f"only {found} results are read")
    failed = subprocess.run(["./adatom-bench", "--device", "no such device"], cwd="made", env=environment)
    with open("made/test-exit-status", encoding="ascii") as file:
        if failed.returncode != 0 or file.read() != "3\n":
            complain("a run that fails is not told")


def check_profile():
    definition = xml.parse(os.path.join(PROFILE, "test-definition.xml")).getroot()
    results = xml.parse(os.path.join(PROFILE, "results-definition.xml")).getroot()
    check_element(definition, "test-definition.xml")
    check_element(results, "results-definition.xml")
    version = subprocess.run([ADATOM, "--version"], capture_output=True, text=True).stdout.splitlines()[0].split()[1]
    if definition.find("TestInformation/AppVersion").text != version:
        complain(f"the profile is of version {definition.find('TestInformation/AppVersion').text}, the program is {version}")
    if definition.find("TestProfile/Version").text != os.path.basename(PROFILE).rsplit("-", 1)[1]:
        complain("the profile's version is not that of its folder")
    for value in definition.iter("Value"): # each option is one that the program knows
        usage = subprocess.run([ADATOM, "bench", *value.text.split(), "--help"], capture_output=True)
        if usage.returncode != 0:
            complain(f"adatom bench does not take {value.text}")
    return results.findall("ResultsParser")


with tempfile.TemporaryDirectory() as work:
    os.chdir(work)
    parsers = check_profile()
    check_install()
    check_results(parsers)
    os.chdir("/")
sys.exit(1 if failures else 0)
