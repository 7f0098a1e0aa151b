%%% @doc What is known of other servers: which of their services takes relays ({@link twitter_relay}), which
%%% takes messages for many (XEP-0033), and which services they say are theirs. It is asked by service
%%% discovery (XEP-0030), once for all who want to know, and remembered for a while.
%%%
%%% Whatever a server answers concerns its own domain only: what it lists of others is left out.
-module(twitter_peer).
-behaviour(gen_server).

-include_lib("xmpp/include/xmpp.hrl").

-export([ask/2, known/1, forget/1, new/0, delete/0, start_link/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).
-export([find_out/2]).
-export_type([known/0]).

%% So long a server has for all its answers.
-define(TIMEOUT_MS, 20_000).
%% So long an answer counts: one to all questions, one with gaps, and none.
-define(KNOWN_S, 3600).
-define(PARTLY_KNOWN_S, 60).
-define(UNREACHABLE_S, 2).
%% Servers that are remembered. When there are more, all are forgotten.
-define(MAX_KNOWN, 10_000).
%% Services of one server that are remembered, and those that are asked what they can do.
-define(MAX_LISTED, 100).
-define(MAX_ASKED, 20).
%% Addresses in one message, unless the service allows another number (XEP-0033, section 2.2); and at most.
-define(ADDRESSES, 20).
-define(MAX_ADDRESSES, 200).
%% Errors of which nobody knows who gave them; or that say "later".
-define(PASSING, ['remote-server-timeout', 'remote-server-not-found', 'resource-constraint',
                  'internal-server-error', 'recipient-unavailable']).

-type known() :: #{relay := Service :: binary() | none,
                   multicast := {Service :: binary(), MaxAddresses :: pos_integer()} | none,
                   %% Services of the domain, as it says: equal to it, or below.
                   listed := [binary()]}.
-type question() :: {items | info, Whom :: binary()}.
-type answer() :: disco_items() | disco_info() | nothing | unanswered.
%% Nothing: it has none of that, or what nobody can read. Unanswered: it may next time.

%%% Questions

%% @doc What is known of a server; if nothing is, our pubsub host asks it. That takes up to 20 seconds, so not
%% in a hook, nor in a handler of IQs.
-spec ask(Host :: binary(), Domain :: binary()) -> {ok, known()} | {error, unreachable}.
ask(Host, Domain) ->
    case remembered(Domain) of
        unknown ->
            case twitter_service:find(Host) of
                {ok, #{server_host := ServerHost}} -> ask(ServerHost, Host, Domain);
                error -> {error, unreachable}
            end;
        Answer ->
            Answer
    end.

ask(ServerHost, Host, Domain) ->
    try
        gen_server:call(gen_mod:get_module_proc(ServerHost, ?MODULE), {ask, Host, Domain}, infinity)
    catch
        %% The plugin stops, or was killed.
        exit:{_, {gen_server, call, _}} -> {error, unreachable}
    end.

%% @doc What is remembered of a server. Cost: one look into a table.
-spec known(Domain :: binary()) -> {ok, known()} | unknown.
known(Domain) ->
    case remembered(Domain) of
        {ok, _} = Known -> Known;
        _ -> unknown
    end.

%% @doc The next one who wants to know asks again.
-spec forget(Domain :: binary()) -> ok.
forget(Domain) ->
    ets_cache:delete(?MODULE, Domain).

remembered(Domain) ->
    case ets_cache:lookup(?MODULE, Domain) of
        {ok, {Answer, Until}} ->
            case erlang:monotonic_time(second) < Until of
                true -> Answer;
                false -> unknown
            end;
        error ->
            unknown
    end.

%%% What is remembered, for all vhosts

-spec new() -> ok.
new() ->
    ets_cache:new(?MODULE, [{max_size, ?MAX_KNOWN}, {life_time, timer:seconds(?KNOWN_S)}]).

-spec delete() -> ok.
delete() ->
    ets_cache:delete(?MODULE).

%%% The process of a vhost sees to it that a server is asked by one at a time

-spec start_link(ServerHost :: binary()) -> {ok, pid()} | {error, term()}.
start_link(ServerHost) ->
    gen_server:start_link({local, gen_mod:get_module_proc(ServerHost, ?MODULE)}, ?MODULE, ServerHost, []).

-type asked() :: #{Asker :: pid() => {Domain :: binary(), [gen_server:from()]}}.

%% @private
-spec init(ServerHost :: binary()) -> {ok, asked()}.
init(_ServerHost) ->
    process_flag(trap_exit, true),
    {ok, #{}}.

%% @private
-spec handle_call({ask, Host :: binary(), Domain :: binary()} | term(), gen_server:from(), asked()) ->
          {reply, {ok, known()} | {error, unreachable | unknown_request}, asked()} | {noreply, asked()}.
handle_call({ask, Host, Domain}, From, Asked) ->
    case remembered(Domain) of
        unknown ->
            case [Asker || {Asker, {Same, _}} <- maps:to_list(Asked), Same =:= Domain] of
                [Asker] ->
                    #{Asker := {Domain, Waiting}} = Asked,
                    {noreply, Asked#{Asker := {Domain, [From | Waiting]}}};
                [] ->
                    Asker = spawn_link(?MODULE, find_out, [Host, Domain]),
                    {noreply, Asked#{Asker => {Domain, [From]}}}
            end;
        Answer ->
            {reply, Answer, Asked}
    end;
handle_call(_Request, _From, Asked) ->
    {reply, {error, unknown_request}, Asked}.

%% @private
-spec handle_cast(term(), asked()) -> {noreply, asked()}.
handle_cast(_Message, Asked) ->
    {noreply, Asked}.

%% @private
-spec handle_info({'EXIT', pid(), term()} | term(), asked()) -> {noreply, asked()}.
handle_info({'EXIT', Asker, Reason}, Asked) when is_map_key(Asker, Asked) ->
    {{Domain, Waiting}, Others} = maps:take(Asker, Asked),
    {Answer, Seconds} = case Reason of
                            {answer, Answered} -> Answered;
                            _Killed -> {{error, unreachable}, 0}
                        end,
    _ = ets_cache:delete(?MODULE, Domain),
    _ = ets_cache:insert(?MODULE, Domain, {Answer, erlang:monotonic_time(second) + Seconds}),
    lists:foreach(fun(From) -> gen_server:reply(From, Answer) end, Waiting),
    {noreply, Others};
handle_info({'EXIT', _Supervisor, Reason}, _Asked) ->
    exit(Reason);
handle_info(_Message, Asked) ->
    {noreply, Asked}.

%%% In a process of its own

%% @private
-spec find_out(Host :: binary(), Domain :: binary()) -> no_return().
find_out(Host, Domain) ->
    exit({answer, asked(Host, Domain)}).

asked(Host, Domain) ->
    Until = now_ms() + ?TIMEOUT_MS,
    Questions = [{items, Domain}, {info, Domain}],
    lists:foreach(fun(Question) -> put_question(Host, Question, Until) end, Questions),
    case collected(Host, Domain, Until, Questions, #{}) of
        #{{items, Domain} := unanswered} -> {{error, unreachable}, ?UNREACHABLE_S};
        #{{items, Domain} := Items} = Answers -> known(Domain, services(Items, Domain), Answers)
    end.

now_ms() ->
    erlang:monotonic_time(millisecond).

put_question(Host, {What, Whom} = Question, Until) ->
    Query = case What of
                items -> #disco_items{};
                info -> #disco_info{}
            end,
    IQ = #iq{type = get, from = jid:make(Host), to = jid:make(Whom), sub_els = [Query]},
    ejabberd_router:route_iq(IQ, Question, self(), max(0, Until - now_ms())).

%% When the services are known, they are asked too.
-spec collected(binary(), binary(), integer(), [question()], Answers) -> Answers
              when Answers :: #{question() => answer()}.
collected(_Host, _Domain, _Until, [], Answers) ->
    Answers;
collected(Host, Domain, Until, Open, Answers) ->
    receive
        {iq_reply, Reply, Question} ->
            Answer = answer(Question, Reply),
            Further = further(Question, Answer, Domain),
            lists:foreach(fun(Next) -> put_question(Host, Next, Until) end, Further),
            collected(Host, Domain, Until, lists:delete(Question, Open) ++ Further, Answers#{Question => Answer})
    after max(0, Until - now_ms()) + 1_000 ->
            %% ejabberd's process that keeps questions was killed.
            maps:merge(maps:from_keys(Open, unanswered), Answers)
    end.

further({items, _}, Items, Domain) ->
    [{info, Service} || Service <- lists:sublist(services(Items, Domain), ?MAX_ASKED), Service =/= Domain];
further({info, _}, _Info, _Domain) ->
    [].

answer({What, Whom}, #iq{type = result, from = #jid{luser = <<>>, lserver = Whom, lresource = <<>>}, sub_els = Els}) ->
    case [decoded(El) || El <- Els] of
        [#disco_items{} = Items] when What =:= items -> Items;
        [#disco_info{} = Info] when What =:= info -> Info;
        _ -> nothing
    end;
answer(_Question, #iq{type = error} = Error) ->
    try xmpp:get_error(Error) of
        #stanza_error{reason = Reason} ->
            case lists:member(Reason, ?PASSING) of
                true -> unanswered;
                false -> nothing
            end;
        undefined -> nothing
    catch
        error:{xmpp_codec, _} -> nothing
    end;
answer(_Question, _TimeoutOrSomebodyElse) ->
    unanswered.

decoded(#xmlel{} = El) ->
    try
        xmpp:decode(El)
    catch
        error:{xmpp_codec, _} -> nothing
    end;
decoded(Decoded) ->
    Decoded.

%% What may speak for the domain, in the order in which it is listed.
services(#disco_items{items = Items}, Domain) ->
    Below = <<".", Domain/binary>>,
    Services = [Service || #disco_item{jid = #jid{luser = <<>>, lserver = Service, lresource = <<>>}, node = <<>>}
                               <- Items,
                           Service =:= Domain orelse ends_with(Service, Below)],
    lists:sublist(lists:uniq(Services), ?MAX_LISTED);
services(nothing, _Domain) ->
    [];
services(unanswered, _Domain) ->
    [].

ends_with(Service, Below) ->
    Before = byte_size(Service) - byte_size(Below),
    Before > 0 andalso binary:part(Service, Before, byte_size(Below)) =:= Below.

known(Domain, Listed, Answers) ->
    Infos = [{Service, Info} || Service <- [Domain | lists:delete(Domain, Listed)],
                                {ok, #disco_info{} = Info} <- [maps:find({info, Service}, Answers)]],
    Relays = [Service || {Service, Info} <- Infos, has(twitter_relay:ns(), Info)],
    Multicasts = [{Service, Max} || {Service, Info} <- Infos, has(?NS_ADDRESS, Info),
                                    Max <- [max_addresses(Info)], Max > 0],
    Known = #{relay => first(Relays), multicast => first(Multicasts), listed => Listed},
    case lists:member(unanswered, maps:values(Answers)) of
        false -> {{ok, Known}, ?KNOWN_S};
        true -> {{ok, Known}, ?PARTLY_KNOWN_S}
    end.

has(Feature, #disco_info{features = Features}) -> lists:member(Feature, Features).

first([First | _]) -> First;
first([]) -> none.

%% A service that allows its users another number says so in a form.
max_addresses(#disco_info{xdata = Forms}) ->
    Said = [Value || #xdata{fields = Fields} = Form <- Forms,
                     xmpp_util:get_xdata_values(<<"FORM_TYPE">>, Form) =:= [?NS_ADDRESS],
                     #xdata_field{var = <<"message">>, values = [Value]} <- Fields],
    try [binary_to_integer(Value) || Value <- Said] of
        [Number | _] -> min(Number, ?MAX_ADDRESSES);
        [] -> ?ADDRESSES
    catch
        error:badarg -> ?ADDRESSES
    end.
