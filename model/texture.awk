# What the hospital's grammar lacks and visit notes are full of: names of people, long lists of what is denied, normal
# findings, operations and medicines that stand for no code. Reads and writes records (JSON Lines); SEED chooses.
# All words are the project's own. A denial never speaks of a code of its note: beside each stand the beginnings of the
# codes with which it is left out.

function draw(n) { state = (state * 16807) % 2147483647; return int(state / 2147483647 * n) + 1 }

# count words of a list of `words=CODES,…`, none of which is about a code of the record.
function some(list, count,    parts, n, at, tries, pair, codes, m, i, clash, out, used) {
    n = split(list, parts, "|")
    out = ""
    used = ""
    for (tries = 0; tries < 30 && count > 0; tries++) {
        at = draw(n)
        split(parts[at], pair, "=")
        if (index(used, "<" at ">")) continue
        m = split(pair[2], codes, ",")
        clash = 0
        for (i = 1; i <= m; i++) if (index(record, "\"" codes[i])) clash = 1
        if (clash) continue
        used = used "<" at ">"
        out = out (out == "" ? "" : ", ") pair[1]
        count--
    }
    return out
}

function person(    first, last) {
    first = FIRST[draw(firsts)]
    last = LAST[draw(lasts)]
    return draw(3) == 1 ? last : first " " last
}

# Puts text behind the first of several headings that the note has.
function behind(heading, text,    at) {
    at = index($0, heading)
    if (at == 0 || text == "") return 0
    $0 = substr($0, 1, at + length(heading) - 1) text substr($0, at + length(heading))
    return 1
}

BEGIN {
    state = SEED
    for (i = 0; i < 20; i++) draw(2)
    firsts = split("Bruce Anna Carl Maria John Rose Peter Linda Grace Henry Joy Frank Olive Mark Daisy Paul Iris Ray Hope " \
        "Drew Lily Sue Dale Faith Victor Ruth Oscar Helen Ivy Walter Logan Brian Nancy Philip Carol Roger", FIRST, " ")
    lasts = split("White Smith Brown Young Hart Burns Gray Stone Short Wells Payne Black Rivers Long Hill Cook Bishop Lyons " \
        "Green Baker Woods Flowers Moore King Nelson Ross Walker Ward Cooper Knight Barnes Price Cox Parker Hughes", LAST, " ")
    DENIED = "fever=R50|fevers or chills=R50,R68|chills=R68,R50|cough=R05,J|shortness of breath=R06,I50,J|chest pain=R07,I2|" \
        "nausea=R11|vomiting=R11|nausea or vomiting=R11|diarrhea=R19,K5,A|constipation=K59|abdominal pain=R10|" \
        "headaches=R51,G4|dizziness=R42,H8|lightheadedness=R42,R55|palpitations=R00,I4|weight loss=R63|weight gain=R63|" \
        "fatigue=R53|rash=R21,L|numbness=R20,G|tingling=R20,G|weakness=R53,M62,G|back pain=M54|neck pain=M54|" \
        "joint pain=M25,M1|leg swelling=R60,I50|swelling=R60,R22|dysuria=R30,N|blood in the urine=R31,N|" \
        "urinary frequency=R35,N|depression=F3|anxiety=F4|sore throat=J|nasal congestion=R09,J|vision changes=H|" \
        "blurry vision=H,E|hearing loss=H|seizures=R56,G4|passing out=R55|night sweats=R61|wheezing=R06,J|" \
        "heartburn=R12,K2|loss of appetite=R63|recent falls=W,R29|suicidal thoughts=R45,F|difficulty swallowing=R13|" \
        "muscle aches=M79|bleeding=R58,K92,K62|itching=L|hemoptysis=R04|black stools=K92|cold intolerance=E0"
    NORMAL = "No erythema=L|No edema=R60,I50|No effusion=M25,J9|No ecchymosis=S,T|No lymphadenopathy=R59|No tenderness=R10,M|" \
        "No murmurs, rubs or gallops=R01,I3|No wheezes, rales or rhonchi=R06,J|No jugular venous distension=I50|" \
        "No scleral icterus=K7,R17|No masses=C,D,R19|No carotid bruits=I6|No rashes or lesions=L,R21|" \
        "No calf tenderness=I8|No nystagmus=H|No focal deficits=I6,G"
    DONE = "Appendectomy=K35|Tonsillectomy=J3|Rhinoplasty=J3|Hysterectomy=Z90|Cesarean section=O|Hernia repair=K4|" \
        "Knee arthroscopy=M,S8|Cholecystectomy=Z90,K8|Cataract extraction=H2|Wisdom teeth removal=K0|Vasectomy=Z"
    TAKEN = "ibuprofen=X|Tylenol=X|Motrin 600 mg=X|meloxicam=X|naproxen=X|a multivitamin=X|fish oil=X|MiraLAX=X|Advil=X|" \
        "vitamin C=X|oral contraceptive=X|calcium=X|Benadryl=X|amoxicillin=X|digoxin=I|aspirin=Z79"
}

{
    record = $0
    sub(/.*"codes":/, "", record)
    while ((at = index($0, "[**Name**]")) > 0) $0 = substr($0, 1, at - 1) person() substr($0, at + 10)
}

index($0, "\"note_type\":\"visit note\"") {
    denied = "Denies " some(DENIED, 2 + draw(4)) ". "
    if (!behind("REVIEW OF SYSTEMS\\n\\n", denied)) behind("ROS: ", denied)
    if (draw(2) == 1) {
        said = "The patient denies any " some(DENIED, 1 + draw(3)) ". "
        if (!behind("HISTORY OF PRESENT ILLNESS\\n\\n", said) && !behind("HPI: ", said)) behind("SUBJECTIVE\\n\\n", said)
    }
    normal = some(NORMAL, 1 + draw(4))
    gsub(/, No/, ". No", normal)
    if (!behind("PHYSICAL EXAMINATION\\n\\n", normal ". ") && !behind("PHYSICAL EXAM\\n\\n", normal ". ")) behind("EXAM: ", normal ". ")
    past = ""
    if (draw(3) == 1) past = "PAST SURGICAL HISTORY\\n\\n" some(DONE, draw(2)) ".\\n\\n"
    if (draw(3) == 1) past = past "CURRENT MEDICATIONS\\n\\n" some(TAKEN, 1 + draw(2)) ".\\n\\n"
    at = index($0, "REVIEW OF SYSTEMS\\n")
    if (past != "" && at > 0) $0 = substr($0, 1, at - 1) past substr($0, at)
}

{ print }
