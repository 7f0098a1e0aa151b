%%% @doc What one service tells another one: the posts of an author once for a whole server, and for which
%%% of its users they are. ARCHITECTURE.md tells how it is used; here is how it looks in XML, and nothing is
%%% decided or believed.
%%%
%%% All moments are in microseconds since 1970, by the clock of the author's server. On the wire they are
%%% dates of XEP-0082.
-module(twitter_relay).

-include_lib("xmpp/include/xmpp.hrl").

-export([ns/0, digest/1, relay/1, audience/2, decode/1]).
-export([missed/1, unknown_audience/0, answer/1]).
-export([stamp/1, stamp_of/1]).
-export_type([change/0, relay/0, audience/0, answer/0, stamp/0]).

-define(NS, <<"urn:ejabberd:twitter:relay:0">>).
%% So many readers stand in one stanza: servers limit stanzas, and an address has 3 KiB at most.
-define(MAX_READERS, 500).
-define(MAX_READER_BYTES, 32768).

-type moment() :: non_neg_integer().
-type change() :: {item, Id :: binary(), Published :: moment(), Version :: moment(), Payload :: [xmlel()]}
                | {retract, Id :: binary(), Version :: moment()}
                | {purge, Version :: moment()}.
%% A post was published or edited, deleted, or all up to a version were. A payload is as it is stored.
-type relay() :: #{author := twitter_nif:jid(), audience := Digest :: binary(), sent := moment(),
                   %% The version of the author's change before these, as far as the sender knows.
                   'after' => moment(),
                   %% To be recorded, and pushed to nobody.
                   quiet := boolean(),
                   changes := [change()]}.
-type audience() :: #{author := twitter_nif:jid(), digest := binary(), part := pos_integer(),
                      'of' := pos_integer(), readers := [twitter_nif:jid()]}.
-type answer() :: recorded | {missed, Since :: moment() | none} | unknown_audience | later | not_taken
                | forbidden | no_relay | failed.
%% What became of a relay: it was recorded; so it was, but the receiver lacks what is newer than `Since'; it does
%% not know for whom it is; it comes too fast; this content is not taken; the sender does not speak for the
%% author; there is no relay; something else went wrong.
-type stamp() :: #{published => moment(), version := moment(), sent := moment()}.
%% What is said of a post beside the event, in a message for one contact.

%% @doc The namespace, and the feature of a service that takes relays.
-spec ns() -> binary().
ns() -> ?NS.

%% @doc What tells one audience from another: the SHA-256 of its members, in whatever order they are given.
-spec digest([twitter_nif:jid()]) -> binary().
digest(Readers) ->
    Lines = [[Reader, $\n] || Reader <- lists:usort(Readers)],
    string:lowercase(binary:encode_hex(crypto:hash(sha256, Lines))).

%%% Stanzas

-spec relay(relay()) -> xmlel().
relay(#{author := Author, audience := Digest, sent := Sent, quiet := Quiet, changes := Changes} = Relay) ->
    Attrs = [{<<"author">>, Author}, {<<"audience">>, Digest}, {<<"sent">>, date(Sent)}]
        ++ [{<<"after">>, date(After)} || {ok, After} <- [maps:find('after', Relay)]]
        ++ [{<<"quiet">>, <<"true">>} || Quiet],
    element(<<"relay">>, Attrs, [change(Change) || Change <- Changes]).

change({item, Id, Published, Version, Payload}) ->
    #xmlel{name = <<"item">>,
           attrs = [{<<"id">>, Id}, {<<"published">>, date(Published)}, {<<"version">>, date(Version)}],
           children = twitter_post:unwrap(Payload)};
change({retract, Id, Version}) ->
    #xmlel{name = <<"retract">>, attrs = [{<<"id">>, Id}, {<<"version">>, date(Version)}]};
change({purge, Version}) ->
    #xmlel{name = <<"purge">>, attrs = [{<<"version">>, date(Version)}]}.

%% @doc The elements that tell who an author's readers are, one for each stanza.
-spec audience(Author :: twitter_nif:jid(), [twitter_nif:jid()]) -> {Digest :: binary(), [xmlel(), ...]}.
audience(Author, Readers) ->
    Digest = digest(Readers),
    Parts = parts(lists:usort(Readers)),
    Count = integer_to_binary(length(Parts)),
    {Digest, [element(<<"audience">>,
                      [{<<"author">>, Author}, {<<"digest">>, Digest},
                       {<<"part">>, integer_to_binary(Number)}, {<<"of">>, Count}],
                      [#xmlel{name = <<"reader">>, attrs = [{<<"jid">>, Reader}]} || Reader <- Part])
              || {Number, Part} <- lists:zip(lists:seq(1, length(Parts)), Parts)]}.

parts([]) ->
    [[]];
parts(Readers) ->
    lists:append([by_number(Part) || Part <- twitter_nif:batches(Readers, ?MAX_READER_BYTES)]).

by_number(Readers) when length(Readers) > ?MAX_READERS ->
    {Part, Others} = lists:split(?MAX_READERS, Readers),
    [Part | by_number(Others)];
by_number(Readers) ->
    [Readers].

%% @doc What a stanza says; addresses are in their normal spelling, or it is malformed.
-spec decode(xmlel()) -> {relay, relay()} | {audience, audience()} | malformed.
decode(#xmlel{name = <<"relay">>, children = Els} = El) ->
    Optional = [{'after', fun moment/1}],
    Required = [{author, fun author/1}, {audience, fun text/1}, {sent, fun moment/1}],
    read(fun() ->
                 Changes = [read_change(Change) || #xmlel{} = Change <- Els],
                 {relay, (attrs(El, Required, Optional))#{quiet => is_quiet(El), changes => Changes}}
         end);
decode(#xmlel{name = <<"audience">>, children = Els} = El) ->
    Required = [{author, fun author/1}, {digest, fun text/1}, {part, fun number/1}, {'of', fun number/1}],
    read(fun() ->
                 Readers = [maps:get(jid, attrs(Reader, [{jid, fun author/1}], []))
                            || #xmlel{name = <<"reader">>} = Reader <- Els],
                 {audience, (attrs(El, Required, []))#{readers => Readers}}
         end);
decode(#xmlel{}) ->
    malformed.

read_change(#xmlel{name = <<"item">>, children = Els} = El) ->
    Required = [{id, fun text/1}, {published, fun moment/1}, {version, fun moment/1}],
    #{id := Id, published := Published, version := Version} = attrs(El, Required, []),
    {item, Id, Published, Version, twitter_post:payload(Els)};
read_change(#xmlel{name = <<"retract">>} = El) ->
    #{id := Id, version := Version} = attrs(El, [{id, fun text/1}, {version, fun moment/1}], []),
    {retract, Id, Version};
read_change(#xmlel{name = <<"purge">>} = El) ->
    #{version := Version} = attrs(El, [{version, fun moment/1}], []),
    {purge, Version};
read_change(#xmlel{}) ->
    throw(malformed).

is_quiet(El) ->
    lists:member(fxml:get_tag_attr_s(<<"quiet">>, El), [<<"true">>, <<"1">>]).

%%% Answers

%% @doc Recorded; and the receiver would like to have what came after `Since', or as much as is usual.
-spec missed(Since :: moment() | none) -> xmlel().
missed(Since) ->
    element(<<"missed">>, [{<<"since">>, date(Since)} || Since =/= none], []).

%% @doc Beside the error `item-not-found'.
-spec unknown_audience() -> xmlel().
unknown_audience() ->
    element(<<"unknown-audience">>, [], []).

%% @doc What became of a relay, by the answer to it.
-spec answer(iq() | timeout) -> answer().
answer(#iq{type = result, sub_els = Els}) ->
    case [El || #xmlel{name = <<"missed">>} = El <- Els] of
        [Missed | _] ->
            case read(fun() -> attrs(Missed, [], [{since, fun moment/1}]) end) of
                #{since := Since} -> {missed, Since};
                #{} -> {missed, none};
                malformed -> recorded
            end;
        [] ->
            recorded
    end;
answer(#iq{type = error} = IQ) ->
    case xmpp:get_error(IQ) of
        #stanza_error{reason = 'item-not-found', sub_els = [#xmlel{name = <<"unknown-audience">>} | _]} ->
            unknown_audience;
        #stanza_error{reason = 'resource-constraint'} -> later;
        #stanza_error{reason = 'not-acceptable'} -> not_taken;
        #stanza_error{reason = forbidden} -> forbidden;
        #stanza_error{reason = 'service-unavailable'} -> no_relay;
        #stanza_error{reason = 'feature-not-implemented'} -> no_relay;
        _ -> failed
    end;
answer(timeout) ->
    failed.

%%% Beside the event, in a message for one contact

-spec stamp(stamp()) -> xmlel().
stamp(#{version := Version, sent := Sent} = Stamp) ->
    Published = [{<<"published">>, date(At)} || {ok, At} <- [maps:find(published, Stamp)]],
    element(<<"relayed">>, Published ++ [{<<"version">>, date(Version)}, {<<"sent">>, date(Sent)}], []).

%% @doc What a message says beside its event; `none' if it comes from somebody who says nothing.
-spec stamp_of(message()) -> stamp() | none | malformed.
stamp_of(#message{sub_els = Els}) ->
    case [El || #xmlel{name = <<"relayed">>} = El <- Els, fxml:get_tag_attr_s(<<"xmlns">>, El) =:= ?NS] of
        [El] ->
            Required = [{version, fun moment/1}, {sent, fun moment/1}],
            read(fun() -> attrs(El, Required, [{published, fun moment/1}]) end);
        [] ->
            none;
        [_, _ | _] ->
            malformed
    end.

%%% XML

element(Name, Attrs, Els) ->
    #xmlel{name = Name, attrs = [{<<"xmlns">>, ?NS} | Attrs], children = Els}.

read(Read) ->
    try
        Read()
    catch
        throw:malformed -> malformed
    end.

attrs(El, Required, Optional) ->
    All = [{Key, Read, fxml:get_tag_attr(atom_to_binary(Key), El)} || {Key, Read} <- Required]
        ++ [{Key, Read, Value} || {Key, Read} <- Optional,
                                  {value, _} = Value <- [fxml:get_tag_attr(atom_to_binary(Key), El)]],
    maps:from_list([{Key, value(Read, Value)} || {Key, Read, Value} <- All]).

value(Read, {value, Value}) -> Read(Value);
value(_Read, false) -> throw(malformed).

text(<<>>) -> throw(malformed);
text(Text) -> Text.

number(Text) ->
    try binary_to_integer(Text) of
        Number when Number > 0 -> Number;
        _ -> throw(malformed)
    catch
        error:badarg -> throw(malformed)
    end.

%% The bare address of a user, as jid:tolower/1 leaves it.
author(Text) ->
    try jid:decode(Text) of
        #jid{luser = LUser, lserver = LServer, lresource = <<>>} when LUser =/= <<>> ->
            case jid:encode({LUser, LServer, <<>>}) of
                Text -> Text;
                _ -> throw(malformed)
            end;
        _ ->
            throw(malformed)
    catch
        error:{bad_jid, _} -> throw(malformed)
    end.

date(Micros) ->
    Seconds = Micros div 1_000_000,
    xmpp_util:encode_timestamp({Seconds div 1_000_000, Seconds rem 1_000_000, Micros rem 1_000_000}).

moment(Text) ->
    try xmpp_util:decode_timestamp(Text) of
        At ->
            case twitter_store:micros(At) of
                Micros when Micros >= 0 -> Micros;
                _ -> throw(malformed)
            end
    catch
        error:_ -> throw(malformed)
    end.
