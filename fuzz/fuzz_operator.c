
/*
 * Copyright (C) rs-gateway contributors
 *
 * What a viewer's offer proves: an SDP has one fingerprint or none, and one
 * that is taken stands in it, as often as the word does; a proof that is
 * taken has a key on the curve, whose signature over anything is of somebody
 * else.
 */


#include "fuzz.h"
#include "rs_operator.h"


static void fuzz_sdp(rs_str_t sdp);
static void fuzz_proof(const uint8_t *data, size_t size);


static void
fuzz_sdp(rs_str_t sdp)
{
    char      a[RS_OPERATOR_FINGERPRINT_LEN], b[RS_OPERATOR_FINGERPRINT_LEN];
    size_t    i, n;
    rs_str_t  part, line;
    uint8_t   text[14 + RS_OPERATOR_FINGERPRINT_LEN];

    if (rs_operator_fingerprint(sdp, a) != RS_OK) {
        return;
    }

    n = 0;
    part.len = 11;

    for (i = 0; i + part.len <= sdp.len; i++) {
        part.data = sdp.data + i;

        if (!rs_str_eq_ci(part, RS_STR("fingerprint"))) {
            continue;
        }

        CHECK(i >= 2 && i - 2 + sizeof(text) <= sdp.len);

        line = (rs_str_t) { sdp.data + i - 2, sizeof(text) };
        memcpy(text, "a=fingerprint:", 14);
        memcpy(text + 14, a, sizeof(a));
        CHECK(rs_str_eq_ci(line, (rs_str_t) { text, sizeof(text) }));
        n++;
    }

    CHECK(n > 0);

    CHECK(rs_operator_fingerprint((rs_str_t) { text, sizeof(text) }, b)
          == RS_OK);
    CHECK(memcmp(a, b, sizeof(a)) == 0);
}


static void
fuzz_proof(const uint8_t *data, size_t size)
{
    char                  fp[RS_OPERATOR_FINGERPRINT_LEN];
    char                  thumb[RS_OPERATOR_THUMBPRINT_LEN];
    json_t               *obj;
    rs_json_error_t       err;
    rs_operator_line_t    line;
    rs_operator_proof_t   proof;

    static const uint8_t  digest[RS_OPERATOR_DIGEST_LEN];

    if (rs_json_load(data, size, 65536, &obj, &err) != RS_OK) {
        return;
    }

    if (rs_operator_proof_read(obj, &proof, &err) == RS_OK) {
        rs_operator_thumbprint(&proof, thumb);
        rs_operator_fingerprint_text(digest, fp);

        line.session_id = RS_STR("ses_aaaaaaaaaaaaaaaaaaaaaaaaaa");
        line.device_id = RS_STR("dev_aaaaaaaaaaaaaaaaaaaaaaaaaa");
        line.participant_id = RS_STR("par_aaaaaaaaaaaaaaaaaaaaaaaaaa");
        line.pc = 1;
        line.offer = (rs_str_t) { (uint8_t *) fp, sizeof(fp) };

        CHECK(rs_operator_verify(&proof, &line) == RS_E_UNAUTHENTICATED);
        CHECK(proof.id_token.len >= 1
              && proof.id_token.len <= RS_OPERATOR_TOKEN_MAX);

    } else {
        CHECK(err.text[0] != '\0');
    }

    json_decref(obj);
}


int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_sdp((rs_str_t) { data, size });
    fuzz_proof(data, size);

    return 0;
}
