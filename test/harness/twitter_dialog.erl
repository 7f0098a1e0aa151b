%%% Commands (XEP-0050) as a client executes them, and what it reads in the answers.
-module(twitter_dialog).

-include_lib("fast_xml/include/fxml.hrl").

-export([execute/2, reply/4, request/3, form/1, form/2]).
-export([list/1, is_offered/2]).
-export([status/1, sid/1, note/1, actions/1, condition/1]).
-export([title/1, instructions/1, types/1, values/1, options/2, table/1, lines/1]).

-type place() :: twitter_requests:place().
%% The values of each field; one may stand for a list of one.
-type fields() :: [{Var :: binary(), Value :: binary() | [binary()]}].

-define(NS_COMMANDS, <<"http://jabber.org/protocol/commands">>).
-define(NS_XDATA, <<"jabber:x:data">>).

%%% Asking

%% @doc Begins the command of a node.
-spec execute(place(), Node :: binary()) -> Answer :: #xmlel{}.
execute(Place, Node) ->
    request(Place, [{<<"node">>, Node}, {<<"action">>, <<"execute">>}], []).

%% @doc Answers what the service answered: with an action, or without, and with a form, or without.
-spec reply(place(), Answer :: #xmlel{}, Action :: binary(), fields() | none) -> Answer :: #xmlel{}.
reply(Place, Answer, Action, Fields) ->
    Command = fxml:get_subtag(Answer, <<"command">>),
    Attrs = [{<<"node">>, fxml:get_tag_attr_s(<<"node">>, Command)}, {<<"sessionid">>, sid(Answer)}],
    request(Place, [{<<"action">>, Action} || Action =/= <<>>] ++ Attrs, [form(Fields) || Fields =/= none]).

%% @doc Any request in the namespace of commands.
-spec request(place(), [{binary(), binary()}], [#xmlel{}]) -> Answer :: #xmlel{}.
request(Place, Attrs, Children) ->
    twitter_requests:ask(Place, set, twitter_requests:el(<<"command">>, [{<<"xmlns">>, ?NS_COMMANDS} | Attrs], Children)).

%% @doc A submitted form.
-spec form(fields()) -> #xmlel{}.
form(Fields) ->
    form(<<"submit">>, Fields).

-spec form(Type :: binary(), fields()) -> #xmlel{}.
form(Type, Fields) ->
    Children = [twitter_requests:el(<<"field">>, [{<<"var">>, Var}], [
                    twitter_requests:el(<<"value">>, [], [{xmlcdata, Value}]) || Value <- lists:flatten([Values])
                ]) || {Var, Values} <- Fields],
    twitter_requests:el(<<"x">>, [{<<"xmlns">>, ?NS_XDATA}, {<<"type">>, Type}], Children).

%% @doc The commands of the service: node and name.
-spec list(place()) -> [{Node :: binary(), Name :: binary()}].
list(Place) ->
    twitter_reading:rows(Place, ?NS_COMMANDS).

%% @doc Whether a row says that it has a command.
-spec is_offered(place(), Node :: binary()) -> boolean().
is_offered(Place, Node) ->
    Query = fxml:get_subtag(twitter_answers:result(twitter_requests:info(Place, Node)), <<"query">>),
    lists:member(?NS_COMMANDS, [fxml:get_tag_attr_s(<<"var">>, Feature) || #xmlel{name = <<"feature">>} = Feature <- Query#xmlel.children]).

%%% Reading

-spec status(Answer :: #xmlel{}) -> binary().
status(Answer) -> attr(<<"status">>, Answer).

-spec sid(Answer :: #xmlel{}) -> binary().
sid(Answer) -> attr(<<"sessionid">>, Answer).

attr(Name, Answer) ->
    fxml:get_path_s(twitter_answers:result(Answer), [{elem, <<"command">>}, {attr, Name}]).

%% @doc What is said to a person in the end.
-spec note(Answer :: #xmlel{}) -> binary().
note(Answer) ->
    Notes = children(<<"note">>, command(Answer)),
    %% Information, if nothing else is said.
    [] = [Type || Note <- Notes, {value, Type} <- [fxml:get_tag_attr(<<"type">>, Note)], Type =/= <<"info">>],
    iolist_to_binary(lists:join(<<" ">>, [fxml:get_tag_cdata(Note) || Note <- Notes])).

%% @doc The default action, and all that are allowed; `none' if the answer does not speak of actions.
-spec actions(Answer :: #xmlel{}) -> {Default :: binary(), [binary()]} | none.
actions(Answer) ->
    case fxml:get_subtag(command(Answer), <<"actions">>) of
        false -> none;
        #xmlel{children = Children} = Actions -> {fxml:get_tag_attr_s(<<"execute">>, Actions), lists:sort([Name || #xmlel{name = Name} <- Children])}
    end.

%% @doc The condition of XEP-0050 in an error.
-spec condition(Answer :: #xmlel{}) -> binary() | none.
condition(Answer) ->
    #xmlel{children = Children} = fxml:get_subtag(Answer, <<"error">>),
    case [Name || #xmlel{name = Name} = Child <- Children, fxml:get_tag_attr_s(<<"xmlns">>, Child) =:= ?NS_COMMANDS] of
        [Condition] -> Condition;
        [] -> none
    end.

-spec title(Answer :: #xmlel{}) -> binary().
title(Answer) -> fxml:get_path_s(data(Answer), [{elem, <<"title">>}, cdata]).

-spec instructions(Answer :: #xmlel{}) -> [binary()].
instructions(Answer) -> [fxml:get_tag_cdata(Line) || Line <- children(<<"instructions">>, data(Answer))].

%% @doc The type of each field, in their order.
-spec types(Answer :: #xmlel{}) -> [{Var :: binary(), Type :: binary()}].
types(Answer) -> [{var(Field), fxml:get_tag_attr_s(<<"type">>, Field)} || Field <- children(<<"field">>, data(Answer))].

%% @doc What the fields of the form hold already.
-spec values(Answer :: #xmlel{}) -> #{Var :: binary() => [binary()]}.
values(Answer) -> fields(data(Answer)).

%% @doc The options of a field, with their labels.
-spec options(Answer :: #xmlel{}, Var :: binary()) -> [{Value :: binary(), Label :: binary()}].
options(Answer, Var) ->
    [{fxml:get_path_s(Option, [{elem, <<"value">>}, cdata]), fxml:get_tag_attr_s(<<"label">>, Option)}
     || Field <- children(<<"field">>, data(Answer)), var(Field) =:= Var, Option <- children(<<"option">>, Field)].

%% @doc The rows of a table, all of which have the columns that the table says.
-spec table(Answer :: #xmlel{}) -> [#{Var :: binary() => binary()}].
table(Answer) ->
    #xmlel{} = Data = data(Answer),
    <<"result">> = fxml:get_tag_attr_s(<<"type">>, Data),
    [Reported] = children(<<"reported">>, Data),
    Columns = lists:sort(maps:keys(fields(Reported))),
    [
        begin
            Columns = lists:sort(maps:keys(Row)),
            maps:map(fun(_, [Value]) -> Value end, Row)
        end
     || Item <- children(<<"item">>, Data), Row <- [fields(Item)]
    ].

%% @doc The lines of text among the fields.
-spec lines(Answer :: #xmlel{}) -> [binary()].
lines(Answer) ->
    [fxml:get_path_s(Field, [{elem, <<"value">>}, cdata])
     || Field <- children(<<"field">>, data(Answer)), fxml:get_tag_attr_s(<<"type">>, Field) =:= <<"fixed">>].

command(Answer) -> fxml:get_subtag(twitter_answers:result(Answer), <<"command">>).

data(Answer) -> fxml:get_subtag_with_xmlns(command(Answer), <<"x">>, ?NS_XDATA).

fields(Element) ->
    maps:from_list([{var(Field), [fxml:get_tag_cdata(Value) || Value <- children(<<"value">>, Field)]} || Field <- children(<<"field">>, Element)]).

var(Field) -> fxml:get_tag_attr_s(<<"var">>, Field).

children(Name, #xmlel{children = Children}) -> [Child || #xmlel{name = Called} = Child <- Children, Called =:= Name].
