%%% Dialogs of commands (XEP-0050): whose they are, how they end, and what clients do wrong with them.
-module(dialogs_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1, end_per_testcase/2]).
-export([
    what_others_have_does_not_exist/1,
    nobody_has_somebody_elses_dialog/1,
    a_dialog_ends_once/1,
    dialogs_are_canceled/1,
    the_oldest_dialog_goes/1,
    actions_that_are_not_possible/1,
    forms_that_are_wrong/1,
    what_is_refused_can_be_sent_again/1,
    rights_are_asked_at_every_step/1,
    what_is_deleted_meanwhile_does_not_come_back/1,
    who_may_not_post_deletes/1,
    no_error_was_logged/1,
    what_is_done_is_not_refused/1
]).

-define(ROOT, <<"/twitter">>).
-define(MINE, <<"/twitter/MyStream">>).

all() ->
    [
        what_others_have_does_not_exist,
        nobody_has_somebody_elses_dialog,
        a_dialog_ends_once,
        dialogs_are_canceled,
        the_oldest_dialog_goes,
        actions_that_are_not_possible,
        forms_that_are_wrong,
        what_is_refused_can_be_sent_again,
        rights_are_asked_at_every_step,
        what_is_deleted_meanwhile_does_not_come_back,
        who_may_not_post_deletes,
        no_error_was_logged,
        what_is_done_is_not_refused
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

end_per_testcase(_Case, Config) ->
    ok = twitter_server:reload(twitter_cases:server(Config), #{twitter => #{}, modules => #{}}).

%%% Other people's things

what_others_have_does_not_exist(Config) ->
    {Alice, Bob, Eve} = people(Config),
    Id = twitter_requests:publish(Alice, <<"Hers">>),
    AliceJid = twitter_client:bare(Alice),
    Same = fun(Ask, Node, Nothing, Words) ->
        [Told, Nought] = [Ask(Named) || Named <- [Node, Nothing]],
        ?assertEqual(<<"item-not-found">>, twitter_answers:refusal(Told)),
        ?assertEqual(twitter_answers:anonymous(Nought, Words), twitter_answers:anonymous(Told, Words))
    end,
    Execute = fun(Client) -> fun(Node) -> twitter_dialog:execute(Client, Node) end end,
    Friend = fun(Jid) -> <<"/twitter/MyFriends/", Jid/binary>> end,
    Nobody = <<"nobody@localhost">>,
    Same(Execute(Eve), Friend(AliceJid), Friend(Nobody), [AliceJid, Nobody]),
    [Same(Execute(Client), <<?MINE/binary, "/", Id/binary>>, <<?MINE/binary, "/none">>, [Id, <<"none">>]) || Client <- [Bob, Eve]],
    %% Chosen by an address or an id that was in no list.
    Choose = fun(Node, Var) ->
        List = twitter_dialog:execute(Eve, Node),
        fun(Value) -> twitter_dialog:reply(Eve, List, <<>>, [{Var, Value}]) end
    end,
    _ = twitter_requests:publish(Eve, <<"Her own">>),
    Same(Choose(<<"twitter#edit">>, <<"post">>), Id, <<"none">>, [Id, <<"none">>]),
    [Carol] = twitter_cases:strangers(Config, [<<"carol">>]),
    ok = twitter_users:befriend(twitter_cases:server(Config), twitter_cases:user(Eve), twitter_cases:user(Carol)),
    Same(Choose(<<"twitter#mute">>, <<"friend">>), AliceJid, Nobody, [AliceJid, Nobody]),
    ?assertEqual([Id], twitter_reading:ids(Alice, ?MINE)).

nobody_has_somebody_elses_dialog(Config) ->
    {Alice, Bob, _} = people(Config),
    Desk = twitter_users:login(twitter_cases:server(Config), twitter_cases:user(Alice)),
    Form = twitter_dialog:execute(Alice, ?MINE),
    Sid = twitter_dialog:sid(Form),
    ?assert(byte_size(Sid) >= 32),
    Try = fun(Client, Action) ->
        Submit = fun(Id) ->
            twitter_dialog:request(Client, [{<<"node">>, ?MINE}, {<<"sessionid">>, Id}, {<<"action">>, Action}],
                                   [twitter_dialog:form([{<<"text">>, <<"Not hers">>}])])
        end,
        Nought = binary:copy(<<"0">>, byte_size(Sid)),
        [Told, Unknown] = [Submit(Id) || Id <- [Sid, Nought]],
        ?assertEqual({<<"bad-request">>, <<"bad-sessionid">>}, {twitter_answers:refusal(Told), twitter_dialog:condition(Told)}),
        Words = [Sid, Nought],
        ?assertEqual(twitter_answers:anonymous(Unknown, Words), twitter_answers:anonymous(Told, Words))
    end,
    [Try(Client, Action) || Client <- [Bob, Desk], Action <- [<<"execute">>, <<"cancel">>, <<"next">>]],
    %% For another node it is none, either.
    Elsewhere = twitter_dialog:request(Alice, [{<<"node">>, ?ROOT}, {<<"sessionid">>, Sid}], [twitter_dialog:form([{<<"text">>, <<"x">>}])]),
    ?assertEqual(<<"bad-sessionid">>, twitter_dialog:condition(Elsewhere)),
    ?assertEqual(<<"completed">>, twitter_dialog:status(twitter_dialog:reply(Alice, Form, <<>>, [{<<"text">>, <<"Hers">>}]))),
    ?assertMatch([_], twitter_reading:ids(Alice, ?MINE)).

%%% Ends

a_dialog_ends_once(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob, _} = people(Config),
    Form = twitter_dialog:execute(Alice, ?MINE),
    Submit = fun(Action) -> twitter_dialog:reply(Alice, Form, Action, [{<<"text">>, <<"Once">>}]) end,
    ?assertEqual(<<"completed">>, twitter_dialog:status(Submit(<<>>))),
    Again = [Submit(Action) || Action <- [<<>>, <<"complete">>, <<"cancel">>]],
    [?assertEqual({<<"not-allowed">>, <<"session-expired">>}, {twitter_answers:refusal(A), twitter_dialog:condition(A)}) || A <- Again],
    ?assertMatch([{item, _, _, _}], twitter_events:posts(Server, Bob)).

dialogs_are_canceled(Config) ->
    {Alice, Bob, _} = people(Config),
    Id = twitter_requests:publish(Alice, <<"Stays">>),
    Filled = [{<<"text">>, <<"Canceled">>}, {<<"delete">>, <<"1">>}, {<<"until">>, <<"forever">>}],
    BobJid = twitter_client:bare(Bob),
    Rows = [?ROOT, ?MINE, <<?MINE/binary, "/", Id/binary>>, <<"/twitter/MyFriends/", BobJid/binary>>],
    [
        begin
            Form = twitter_dialog:execute(Alice, Node),
            Canceled = Cancel(Form),
            ?assertEqual(<<"canceled">>, twitter_dialog:status(Canceled)),
            ?assertEqual(twitter_dialog:sid(Form), twitter_dialog:sid(Canceled)),
            Late = twitter_dialog:reply(Alice, Form, <<>>, Filled),
            ?assertEqual(<<"session-expired">>, twitter_dialog:condition(Late))
        end
     || Node <- Rows,
        Cancel <- [fun(Form) -> twitter_dialog:reply(Alice, Form, <<"cancel">>, Fields) end || Fields <- [none, Filled]] ++
                  [fun(Form) -> with_form(Alice, Form, twitter_dialog:form(<<"cancel">>, [])) end]
    ],
    %% In a later stage, too.
    Chosen = twitter_dialog:reply(Alice, twitter_dialog:execute(Alice, <<"twitter#edit">>), <<"next">>, [{<<"post">>, Id}]),
    ?assertEqual(<<"canceled">>, twitter_dialog:status(twitter_dialog:reply(Alice, Chosen, <<"cancel">>, Filled))),
    ?assertEqual([Id], twitter_reading:ids(Alice, ?MINE)),
    ?assertMatch([<<"Stays">>], [Text || [{xmlcdata, Text}] <- twitter_reading:payloads(Alice, ?MINE)]).

the_oldest_dialog_goes(Config) ->
    {Alice, Bob, _} = people(Config),
    [First, Second | _] = [twitter_dialog:execute(Alice, ?MINE) || _ <- lists:seq(1, 9)],
    His = twitter_dialog:execute(Bob, ?MINE),
    Submit = fun(Client, Form) -> twitter_dialog:reply(Client, Form, <<>>, [{<<"text">>, <<"Hello">>}]) end,
    ?assertEqual(<<"bad-sessionid">>, twitter_dialog:condition(Submit(Alice, First))),
    [?assertEqual(<<"completed">>, twitter_dialog:status(Submit(Client, Form))) || {Client, Form} <- [{Alice, Second}, {Bob, His}]].

%%% Mistakes

actions_that_are_not_possible(Config) ->
    {Alice, _, _} = people(Config),
    Id = twitter_requests:publish(Alice, <<"Here">>),
    Sent = [{<<"text">>, <<"There">>}, {<<"post">>, Id}],
    Condition = fun(Answer) -> {twitter_answers:refusal(Answer), twitter_dialog:condition(Answer)} end,
    Bad = {<<"bad-request">>, <<"bad-action">>},
    [
        ?assertEqual({Node, Action, Bad}, {Node, Action, Condition(twitter_dialog:reply(Alice, twitter_dialog:execute(Alice, Node), Action, Sent))})
     || {Node, Actions} <- [{?MINE, [<<"next">>, <<"prev">>]}, {<<"twitter#edit">>, [<<"prev">>, <<"complete">>]}], Action <- Actions
    ],
    %% Without a dialog there is nothing to go on with.
    [
        ?assertEqual(Bad, Condition(twitter_dialog:request(Alice, [{<<"node">>, ?MINE}, {<<"action">>, Action}], [])))
     || Action <- [<<"next">>, <<"prev">>, <<"complete">>, <<"cancel">>]
    ],
    Malformed = [twitter_dialog:request(Alice, [{<<"node">>, Node}, {<<"action">>, <<"explode">>}], []) || Node <- [?MINE, <<"twitter#post">>]],
    [?assertEqual({<<"bad-request">>, <<"malformed-action">>}, Condition(Answer)) || Answer <- Malformed],
    %% Of another namespace it is no command, and nothing else either.
    [
        ?assertEqual(<<"bad-request">>, twitter_answers:refusal(twitter_requests:ask(Alice, get,
            [<<"<command xmlns='">>, Namespace, <<"' node='/twitter/MyStream' action='explode'/>">>])))
     || Namespace <- [<<"http://jabber.org/protocol/disco#items">>, <<"http://jabber.org/protocol/disco#info">>, <<"http://jabber.org/protocol/pubsub">>]
    ],
    %% A form that comes too early is of no use, and does no harm.
    Early = twitter_dialog:request(Alice, [{<<"node">>, ?MINE}], [twitter_dialog:form([{<<"text">>, <<"Early">>}])]),
    ?assertEqual(<<"executing">>, twitter_dialog:status(Early)),
    Get = twitter_requests:ask(Alice, get, <<"<command xmlns='http://jabber.org/protocol/commands' node='/twitter'/>">>),
    ?assertEqual(<<"not-allowed">>, twitter_answers:refusal(Get)),
    ?assertEqual([Id], twitter_reading:ids(Alice, ?MINE)).

%% Each is told so, changes nothing, and the dialog goes on.
forms_that_are_wrong(Config) ->
    {Alice, _, _} = people(Config),
    Form = twitter_dialog:execute(Alice, ?MINE),
    Text = fun(Value) -> {<<"text">>, Value} end,
    Field = twitter_requests:el(<<"field">>, [{<<"var">>, <<"text">>}], []),
    Wrong = [
        none, twitter_dialog:form([]), twitter_dialog:form([Text([])]), twitter_dialog:form([Text(<<>>)]), twitter_dialog:form([Text([<<" ">>, <<"\t">>])]),
        twitter_dialog:form([Text(<<"\x{200b}\x{2060}\x{202e}"/utf8>>)]), twitter_dialog:form([Text(<<"one">>), Text(<<"two">>)]),
        twitter_dialog:form([{<<"Text">>, <<"case">>}]), twitter_dialog:form(<<"form">>, [Text(<<"not sent">>)]), twitter_dialog:form(<<"result">>, [Text(<<"not sent">>)]),
        (twitter_dialog:form([]))#xmlel{children = [Field]},
        twitter_dialog:form([Text(<<"many">>) | [{<<"odd">>, <<"x">>} || _ <- lists:seq(1, 100)]])
    ],
    [
        begin
            Answer = case Data of
                         none -> twitter_dialog:reply(Alice, Form, <<"complete">>, none);
                         _ -> with_form(Alice, Form, Data)
                     end,
            ?assertEqual({Data, <<"bad-request">>, <<"bad-payload">>}, {Data, twitter_answers:refusal(Answer), twitter_dialog:condition(Answer)}),
            ?assertNotEqual(<<>>, twitter_answers:error_text(Answer))
        end
     || Data <- Wrong
    ],
    %% No form at all, by its own syntax.
    Untyped = with_form(Alice, Form, twitter_requests:el(<<"x">>, [{<<"xmlns">>, <<"jabber:x:data">>}], [])),
    ?assertEqual(<<"bad-request">>, twitter_answers:refusal(Untyped)),
    ?assertEqual([], twitter_reading:ids(Alice, ?MINE)),
    %% What nobody asked for means nothing; nor do types.
    Types = [{<<"FORM_TYPE">>, <<"urn:one">>}, {<<"FORM_TYPE">>, [<<"urn:two">>, <<"urn:three">>]}, {<<"node">>, <<"/twitter">>}],
    ?assertEqual(<<"completed">>, twitter_dialog:status(twitter_dialog:reply(Alice, Form, <<>>, [Text(<<"Fine">>) | Types]))),
    Settings = twitter_dialog:execute(Alice, <<"twitter#settings">>),
    [
        ?assertEqual(<<"bad-payload">>, twitter_dialog:condition(twitter_dialog:reply(Alice, Settings, <<>>, [{<<"pushes">>, Value}])))
     || Value <- [<<"maybe">>, <<>>, [<<"1">>, <<"1">>]]
    ].

%%% What changes meanwhile

%% The same limits as for posts that are published.
what_is_refused_can_be_sent_again(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob, _} = people(Config),
    ok = twitter_server:reload(Server, #{twitter => #{max_post_size => 2000, post_rate => #{burst => 1, refill => 1}}}),
    Form = twitter_dialog:execute(Alice, ?ROOT),
    Submit = fun(Answer, Text) -> twitter_dialog:reply(Alice, Answer, <<>>, [{<<"text">>, Text}, {<<"bodies">>, <<"0">>}]) end,
    ?assertEqual(<<"not-acceptable">>, twitter_answers:refusal(Submit(Form, twitter_cases:large(<<"long ">>, 2000)))),
    ?assertMatch(#{<<"bodies">> := [<<"1">>]}, twitter_dialog:values(twitter_dialog:execute(Alice, ?ROOT))),
    ?assertEqual(<<"completed">>, twitter_dialog:status(Submit(Form, <<"short">>))),
    ?assertEqual(<<"session-expired">>, twitter_dialog:condition(Submit(Form, <<"short">>))),
    Next = twitter_dialog:execute(Alice, ?ROOT),
    [?assertEqual(<<"resource-constraint">>, twitter_answers:refusal(Submit(Next, <<"soon">>))) || _ <- [1, 2]],
    ok = twitter_server:reload(Server, #{twitter => #{}}),
    ?assertEqual(<<"completed">>, twitter_dialog:status(Submit(Next, <<"later">>))),
    ?assertMatch([_, _], twitter_events:posts(Server, Bob)).

%% Or it would be done once more. This makes the server complain.
what_is_done_is_not_refused(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob, _} = people(Config),
    Form = twitter_dialog:execute(Alice, ?ROOT),
    twitter_stored:without(Server, private_storage, fun() ->
        Answer = twitter_dialog:reply(Alice, Form, <<>>, [{<<"text">>, <<"Hello">>}, {<<"bodies">>, <<"0">>}]),
        ?assertEqual(<<"completed">>, twitter_dialog:status(Answer)),
        #xmlel{children = Els} = fxml:get_subtag(Answer, <<"command">>),
        Types = [fxml:get_tag_attr_s(<<"type">>, Note) || #xmlel{name = <<"note">>} = Note <- Els],
        ?assertMatch([_, <<"warn">>], Types)
    end),
    ?assertMatch([{item, _, _, _}], twitter_events:posts(Server, Bob)),
    ?assertMatch(#{<<"bodies">> := [<<"1">>]}, twitter_dialog:values(twitter_dialog:execute(Alice, ?ROOT))).

rights_are_asked_at_every_step(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob, _} = people(Config),
    BobJid = twitter_client:bare(Bob),
    Row = twitter_dialog:execute(Alice, <<"/twitter/MyFriends/", BobJid/binary>>),
    Chosen = twitter_dialog:reply(Alice, twitter_dialog:execute(Alice, <<"twitter#mute">>), <<"next">>, [{<<"friend">>, BobJid}]),
    Post = twitter_dialog:execute(Alice, ?MINE),
    ok = twitter_users:remove_contact(Bob, twitter_client:bare(Alice)),
    [
        ?assertEqual(<<"item-not-found">>, twitter_answers:refusal(twitter_dialog:reply(Alice, Form, <<>>, [{<<"until">>, <<"day">>}])))
     || Form <- [Row, Chosen]
    ],
    ok = twitter_server:reload(Server, #{twitter => #{access_post => none}}),
    ?assertEqual(<<"item-not-found">>, twitter_answers:refusal(twitter_dialog:reply(Alice, Post, <<>>, [{<<"text">>, <<"Late">>}]))),
    ?assertEqual([], twitter_reading:ids(Alice, ?MINE)),
    Settings = twitter_server:call(Server, twitter_settings, get, [twitter_server:call(Server, jid, decode, [twitter_client:bare(Alice)])]),
    ?assertMatch(#{muted := []}, Settings).

what_is_deleted_meanwhile_does_not_come_back(Config) ->
    {Alice, _, _} = people(Config),
    Id = twitter_requests:publish(Alice, <<"Doomed">>),
    Row = twitter_dialog:execute(Alice, <<?MINE/binary, "/", Id/binary>>),
    List = twitter_dialog:execute(Alice, <<"twitter#edit">>),
    Chosen = twitter_dialog:reply(Alice, List, <<"next">>, [{<<"post">>, Id}]),
    ok = twitter_requests:retract(Alice, Id),
    [
        ?assertEqual(<<"item-not-found">>, twitter_answers:refusal(twitter_dialog:reply(Alice, Form, <<>>, Fields)))
     || Form <- [Row, Chosen], Fields <- [[{<<"text">>, <<"Undead">>}], [{<<"delete">>, <<"1">>}]]
    ],
    ?assertEqual([], twitter_reading:ids(Alice, ?MINE)).

who_may_not_post_deletes(Config) ->
    {Alice, _, _} = people(Config),
    [Id, Other] = [twitter_requests:publish(Alice, <<"Mine">>) || _ <- [1, 2]],
    Before = twitter_dialog:execute(Alice, <<?MINE/binary, "/", Id/binary>>),
    ok = twitter_server:reload(twitter_cases:server(Config), #{twitter => #{access_post => none}}),
    ?assertEqual(<<"forbidden">>, twitter_answers:refusal(twitter_dialog:reply(Alice, Before, <<>>, [{<<"text">>, <<"New">>}]))),
    Form = twitter_dialog:execute(Alice, <<?MINE/binary, "/", Id/binary>>),
    ?assertEqual([{<<"delete">>, <<"boolean">>}], twitter_dialog:types(Form)),
    ?assertEqual(<<"bad-payload">>, twitter_dialog:condition(twitter_dialog:reply(Alice, Form, <<>>, [{<<"text">>, <<"New">>}]))),
    ?assertEqual(<<"completed">>, twitter_dialog:status(twitter_dialog:reply(Alice, Form, <<>>, [{<<"delete">>, <<"1">>}]))),
    List = twitter_dialog:execute(Alice, <<"twitter#edit">>),
    Chosen = twitter_dialog:reply(Alice, List, <<>>, [{<<"post">>, Other}]),
    ?assertEqual([{<<"delete">>, <<"boolean">>}], twitter_dialog:types(Chosen)),
    ?assertEqual([Other], twitter_reading:ids(Alice, ?MINE)).

no_error_was_logged(Config) ->
    twitter_cases:no_error_was_logged(Config).

%%% Helpers

%% Alice, with a friend, and somebody whom nobody knows.
people(Config) ->
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    [Eve] = twitter_cases:strangers(Config, [<<"eve">>]),
    {Alice, Bob, Eve}.

with_form(Client, Answer, Form) ->
    Attrs = [{<<"node">>, fxml:get_path_s(Answer, [{elem, <<"command">>}, {attr, <<"node">>}])}, {<<"sessionid">>, twitter_dialog:sid(Answer)}],
    twitter_dialog:request(Client, Attrs, [Form]).
