
/*
 * Copyright (C) rs-gateway contributors
 */

/*
 * Owns the managed policy of the browser: what nobody in front of it can
 * change.  Schemes that lead out of the web are closed here, and once more by
 * render_targets.c where a page arrives.  DeveloperToolsAvailability would
 * close the debugging pipe as well: that the tools have no page is by their
 * scheme.
 */

#include "render_managed.h"
#include "agent_json.h"


static const char *const  render_managed_blocked[] = {
    "file://*", "chrome://*", "chrome-untrusted://*", "chrome-extension://*",
    "devtools://*", "view-source:*", "javascript://*", "ftp://*", "ws://*/*",
    NULL
};

static const struct {
    const char  *name;
    int          value;
} render_managed_numbers[] = {
    { "BrowserSignin", 0 },
    { "DefaultClipboardSetting", 2 },
    { "DefaultGeolocationSetting", 2 },
    { "DefaultLocalFontsSetting", 2 },
    { "DefaultNotificationsSetting", 2 },
    { "DefaultSensorsSetting", 2 },
    { "DefaultSerialGuardSetting", 2 },
    { "DefaultWebBluetoothGuardSetting", 2 },
    { "DefaultWebHidGuardSetting", 2 },
    { "DefaultWebUsbGuardSetting", 2 },
    { "DefaultFileSystemReadGuardSetting", 2 },
    { "DefaultFileSystemWriteGuardSetting", 2 },
    { "DefaultWindowManagementSetting", 2 },
    { "IncognitoModeAvailability", 1 },
    { "NetworkPredictionOptions", 2 },
    { "SafeBrowsingProtectionLevel", 0 },
    { "GenAiDefaultSettings", 2 }
};

static const struct {
    const char  *name;
    gboolean     value;
} render_managed_flags[] = {
    { "AllowFileSelectionDialogs", FALSE },
    { "AlternateErrorPagesEnabled", FALSE },
    { "AudioCaptureAllowed", FALSE },
    { "AutofillAddressEnabled", FALSE },
    { "AutofillCreditCardEnabled", FALSE },
    { "BackgroundModeEnabled", FALSE },
    { "BookmarkBarEnabled", FALSE },
    { "BuiltInDnsClientEnabled", FALSE },
    { "ComponentUpdatesEnabled", FALSE },
    { "DefaultSearchProviderEnabled", FALSE },
    { "EditBookmarksEnabled", FALSE },
    { "HttpsUpgradesEnabled", FALSE },
    { "MetricsReportingEnabled", FALSE },
    { "PasswordManagerEnabled", FALSE },
    { "PaymentMethodQueryEnabled", FALSE },
    { "PrintingEnabled", FALSE },
    { "PromotionsEnabled", FALSE },
    { "QuicAllowed", FALSE },
    { "ScreenCaptureAllowed", FALSE },
    { "SearchSuggestEnabled", FALSE },
    { "SpellCheckServiceEnabled", FALSE },
    { "SSLErrorOverrideAllowed", FALSE },
    { "SyncDisabled", TRUE },
    { "TranslateEnabled", FALSE },
    { "UserFeedbackAllowed", FALSE },
    { "VideoCaptureAllowed", FALSE },
    { "WebRtcEventLogCollectionAllowed", FALSE }
};


char *
render_managed_policy(void)
{
    gsize    i;
    json_t  *policy, *list;

    policy = json_object();
    list = json_array();

    for (i = 0; render_managed_blocked[i] != NULL; i++) {
        json_array_append_new(list, json_string(render_managed_blocked[i]));
    }

    json_object_set_new(policy, "URLBlocklist", list);
    json_object_set_new(policy, "ExtensionInstallBlocklist",
                        json_pack("[s]", "*"));
    json_object_set_new(policy, "DnsOverHttpsMode", json_string("off"));
    json_object_set_new(policy, "WebRtcIPHandling",
                        json_string("disable_non_proxied_udp"));

    for (i = 0; i < G_N_ELEMENTS(render_managed_numbers); i++) {
        json_object_set_new(policy, render_managed_numbers[i].name,
                            json_integer(render_managed_numbers[i].value));
    }

    for (i = 0; i < G_N_ELEMENTS(render_managed_flags); i++) {
        json_object_set_new(policy, render_managed_flags[i].name,
                            json_boolean(render_managed_flags[i].value));
    }

    return agent_json_text(policy);
}
